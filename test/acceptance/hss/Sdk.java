// The calls that the vendor prints for HSS, with the endpoint from the environment. The vendor's
// package for Java (huaweicloud-sdk-hss) has the image registries only in versions that Maven Central
// does not have, so the calls are described here, and the vendor's core builds, signs and sends them.

import com.fasterxml.jackson.annotation.JsonProperty;
import com.huaweicloud.sdk.core.ClientBuilder;
import com.huaweicloud.sdk.core.HcClient;
import com.huaweicloud.sdk.core.SdkResponse;
import com.huaweicloud.sdk.core.auth.BasicCredentials;
import com.huaweicloud.sdk.core.exception.ServiceResponseException;
import com.huaweicloud.sdk.core.http.FieldExistence;
import com.huaweicloud.sdk.core.http.HttpMethod;
import com.huaweicloud.sdk.core.http.HttpRequestDef;
import com.huaweicloud.sdk.core.http.LocationType;
import java.io.PrintStream;
import java.util.List;
import java.util.Map;

public class Sdk {
  /** All that a call may carry; what is null is not sent. */
  public static class Ask {
    public String id;
    public String registryName;
    public Integer limit;
    public Map<String, Object> body;
  }

  public static class Answer extends SdkResponse {
    @JsonProperty("total_num")
    public Integer totalNum;

    @JsonProperty("data_list")
    public List<Map<String, Object>> dataList;
  }

  static final PrintStream out = new PrintStream(System.out, true, java.nio.charset.StandardCharsets.UTF_8);

  public static void main(String[] args) {
    HcClient client =
        new ClientBuilder<>(made -> made)
            .withCredential(
                new BasicCredentials()
                    .withAk(System.getenv("CLOUD_SDK_AK"))
                    .withSk(System.getenv("CLOUD_SDK_SK"))
                    .withProjectId(System.getenv("CLOUD_SDK_PROJECT")))
            .withEndpoint(System.getenv("CLOUD_SDK_ENDPOINT"))
            .build();

    Ask empty = new Ask();
    empty.body = Map.of();
    tell("empty", client, "POST", "", empty);

    String name = "java 仓库 (1/2)+*";
    Ask add = new Ask();
    add.body =
        Map.of(
            "registry_name", name,
            "registry_type", "Harbor",
            "api_version", "V2",
            "protocol", "https",
            "registry_addr", "harbor.example.com",
            "registry_username", "robot",
            "registry_password", "secret",
            "connect_cluster_id", "local",
            "get_scan_image_channel", "Swr");
    tell("add", client, "POST", "", add);

    Ask list = new Ask();
    list.registryName = name;
    list.limit = 10;
    Answer listed = tell("list", client, "GET", "", list);
    Map<String, Object> registry = listed.dataList.get(0);
    out.println(
        "found: " + listed.totalNum + " " + registry.get("registry_name") + " " + registry.get("registry_addr"));

    Ask update = new Ask();
    update.id = (String) registry.get("id");
    update.body = Map.of("api_version", "V1");
    tell("update", client, "PUT", "/{id}", update);

    Ask delete = new Ask();
    delete.id = update.id;
    tell("delete", client, "DELETE", "/{id}", delete);
    System.exit(0);
  }

  static Answer tell(String what, HcClient client, String method, String rest, Ask ask) {
    HttpRequestDef.Builder<Ask, Answer> call =
        HttpRequestDef.builder(HttpMethod.valueOf(method), Ask.class, Answer.class)
            .withName(what)
            .withUri("/v5/{project_id}/image/registries" + rest)
            .withContentType("application/json");
    if (ask.id != null) {
      call.<String>withRequestField(
          "id",
          LocationType.Path,
          FieldExistence.NON_NULL_NON_EMPTY,
          String.class,
          field -> field.withMarshaller(of -> of.id, (of, value) -> of.id = value));
    }
    call.<String>withRequestField(
        "registry_name",
        LocationType.Query,
        FieldExistence.NULL_IGNORE,
        String.class,
        field -> field.withMarshaller(of -> of.registryName, (of, value) -> of.registryName = value));
    call.<Integer>withRequestField(
        "limit",
        LocationType.Query,
        FieldExistence.NULL_IGNORE,
        Integer.class,
        field -> field.withMarshaller(of -> of.limit, (of, value) -> of.limit = value));
    if (ask.body != null) {
      call.<Map>withRequestField(
          "body",
          LocationType.Body,
          FieldExistence.NULL_IGNORE,
          Map.class,
          field -> field.withMarshaller(of -> of.body, (of, value) -> {}));
    }
    try {
      Answer answer = client.syncInvokeHttp(ask, call.build());
      out.println(what + ": ok");
      return answer;
    } catch (ServiceResponseException failure) {
      out.println(
          what
              + ": "
              + failure.getHttpStatusCode()
              + " "
              + failure.getErrorCode()
              + " "
              + (failure.getRequestId() != null));
      return null;
    }
  }
}
