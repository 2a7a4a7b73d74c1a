// The programs that the vendor prints for HSS, with the endpoint from the environment.
package main

import (
	"fmt"
	"os"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	hss "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/hss/v5"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/hss/v5/model"
)

func tell(what string, answer any, err error) {
	if failure, ok := err.(*sdkerr.ServiceResponseError); ok {
		fmt.Printf("%s: %d %s %t\n", what, failure.StatusCode, failure.ErrorCode, failure.RequestId != "")
		return
	}
	if err != nil {
		fmt.Printf("%s: %v\n", what, err)
		os.Exit(1)
	}
	fmt.Printf("%s: ok\n", what)
}

func main() {
	auth := basic.NewCredentialsBuilder().
		WithAk(os.Getenv("CLOUD_SDK_AK")).
		WithSk(os.Getenv("CLOUD_SDK_SK")).
		WithProjectId(os.Getenv("CLOUD_SDK_PROJECT")).
		Build()
	client := hss.NewHssClient(hss.HssClientBuilder().
		WithEndpoints([]string{os.Getenv("CLOUD_SDK_ENDPOINT")}).
		WithCredential(auth).
		Build())

	empty, err := client.AddRegistry(&model.AddRegistryRequest{Body: &model.AddRegistryRequestBody{}})
	tell("empty", empty, err)

	name := "go 仓库 (1/2)+*"
	added, err := client.AddRegistry(&model.AddRegistryRequest{Body: &model.AddRegistryRequestBody{
		RegistryName: name, RegistryType: "Harbor",
		ApiVersion: "V2", Protocol: "https",
		RegistryAddr: "harbor.example.com", RegistryUsername: "robot", RegistryPassword: "secret",
		ConnectClusterId: "local", GetScanImageChannel: "Swr",
	}})
	tell("add", added, err)

	limit := int32(10)
	listed, err := client.ListRegistry(&model.ListRegistryRequest{RegistryName: &name, Limit: &limit})
	tell("list", listed, err)
	registry := (*listed.DataList)[0]
	fmt.Printf("found: %d %s %s\n", *listed.TotalNum, *registry.RegistryName, *registry.RegistryAddr)

	version := "V1"
	updated, err := client.UpdateRegistry(&model.UpdateRegistryRequest{Id: *registry.Id,
		Body: &model.UpdateRegistryRequestBody{ApiVersion: &version}})
	tell("update", updated, err)

	deleted, err := client.DeleteRegistry(&model.DeleteRegistryRequest{Id: *registry.Id})
	tell("delete", deleted, err)
}
