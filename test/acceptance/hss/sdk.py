"""The programs that the vendor prints for HSS, with the endpoint from the environment."""

import os

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions import exceptions
from huaweicloudsdkhss.v5 import (
    AddRegistryRequest,
    AddRegistryRequestBody,
    CreateImageSynchronizeTaskRequest,
    CreateImageSynchronizeTaskRequestInfo,
    CreateImageSynchronizeTaskRequestInfoRegistryInfo,
    DeleteRegistryRequest,
    HssClient,
    ListAssociateRegistriesRequest,
    ListImageScanTaskRequest,
    ListRegistryImagesRequest,
    ListRegistryRequest,
    ShowImageAssetStatisticsRequest,
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

# The inventory: the registry answers nobody, so there is a task and no image.
tell(
    "sync",
    client.create_image_synchronize_task,
    CreateImageSynchronizeTaskRequest(
        body=CreateImageSynchronizeTaskRequestInfo(
            sync_all_registries=False,
            registry_info=[
                CreateImageSynchronizeTaskRequestInfoRegistryInfo(
                    registry_id=registry.id, registry_type=registry.registry_type
                )
            ],
        )
    ),
)
tasks = tell(
    "tasks",
    client.list_image_scan_task,
    ListImageScanTaskRequest(type="image_sync", global_image_type="registry", limit=10),
)
task = tasks.data_list[0]
print(f"task: {task.image_type} {task.task_status < 100 or task.end_time >= task.begin_time}")
synced = tell(
    "associated",
    client.list_associate_registries,
    ListAssociateRegistriesRequest(task_id=task.task_id, limit=10),
)
print(f"of: {synced.total_num} {synced.data_list[0].registry_name}")
images = tell(
    "images",
    client.list_registry_images,
    ListRegistryImagesRequest(
        registry_name=name,
        image_name="app",
        namespace="team",
        is_multarch=False,
        latest_version=True,
        sort_key="latest_scan_time",
        sort_dir="desc",
        limit=200,
    ),
)
print(f"images: {images.total_num} {images.data_list}")
assets = tell(
    "statistics", client.show_image_asset_statistics, ShowImageAssetStatisticsRequest()
)
print(f"statistics: {assets.registry_num} {assets.local_num} {assets.cicd_num}")

tell("delete", client.delete_registry, DeleteRegistryRequest(id=registry.id))
