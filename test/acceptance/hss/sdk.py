"""The programs that the vendor prints for HSS, with the endpoint from the environment."""

import os

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions import exceptions
from huaweicloudsdkhss.v5 import (
    AddRegistryRequest,
    AddRegistryRequestBody,
    DeleteRegistryRequest,
    HssClient,
    ListRegistryRequest,
    UpdateRegistryRequest,
    UpdateRegistryRequestBody,
)

client = (
    HssClient.new_builder()
    .with_credentials(
        BasicCredentials(
            os.environ["CLOUD_SDK_AK"], os.environ["CLOUD_SDK_SK"], os.environ["CLOUD_SDK_PROJECT"]
        )
    )
    .with_endpoint(os.environ["CLOUD_SDK_ENDPOINT"])
    .build()
)


def tell(what, call, request):
    try:
        answer = call(request)
        print(f"{what}: ok")
        return answer
    except exceptions.ClientRequestException as failure:
        told = "true" if failure.request_id else "false"
        print(f"{what}: {failure.status_code} {failure.error_code} {told}")
        return None


tell("empty", client.add_registry, AddRegistryRequest(body=AddRegistryRequestBody()))

name = "python 仓库 (1/2)+*"
tell(
    "add",
    client.add_registry,
    AddRegistryRequest(
        body=AddRegistryRequestBody(
            registry_name=name,
            registry_type="Harbor",
            api_version="V2",
            protocol="https",
            registry_addr="harbor.example.com",
            registry_username="robot",
            registry_password="secret",
            connect_cluster_id="local",
            get_scan_image_channel="Swr",
        )
    ),
)
listed = tell("list", client.list_registry, ListRegistryRequest(registry_name=name, limit=10))
registry = listed.data_list[0]
print(f"found: {listed.total_num} {registry.registry_name} {registry.registry_addr}")
tell(
    "update",
    client.update_registry,
    UpdateRegistryRequest(id=registry.id, body=UpdateRegistryRequestBody(api_version="V1")),
)
tell("delete", client.delete_registry, DeleteRegistryRequest(id=registry.id))
