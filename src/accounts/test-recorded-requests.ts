/*
 * What the vendor's SDKs sent for the programs that its document of AddRegistry prints (Python
 * 3.1.219, Go of March 2026), with a made-up key: an empty body, then add, list, update, delete.
 */

export const RECORDED_KEY = {
  accessKey: 'EPAKRECORDEDEXAMPLE1',
  secretKey: 'this-secret-is-printed-and-good-for-none',
}

interface Recorded {
  signedHeaders: string
  headers: Record<string, string>
  requests: { method: string; target: string; signature: string; body: string }[]
}

const GO: Recorded = {
  signedHeaders: 'user-agent;x-project-id;x-sdk-date',
  headers: {
    'content-type': 'application/json',
    host: '127.0.0.1:37505',
    'user-agent':
      'huaweicloud-usdk-go/3.0; os/Debian_GNU/Linux#12_(bookworm)#amd64 go/go1.26.8; app/a999f72c-553c-46c5-8b29-1a13857b014e',
    'x-project-id': 'payments',
    'x-sdk-date': '20261121T050208Z',
  },
  requests: [
    {
      method: 'POST',
      target: '/v5/payments/image/registries',
      signature: 'b746deddf0be64dab3cb9d117ce691a840960493df3c048ddcd80436a9978781',
      body: '{"registry_name":"","registry_type":"","api_version":"","protocol":"","registry_addr":"","registry_username":"","registry_password":"","connect_cluster_id":"","get_scan_image_channel":""}\n',
    },
    {
      method: 'POST',
      target: '/v5/payments/image/registries',
      signature: '09a6754b4e23d3a87ae4bda33b021cab17f08eff3c58a47ef2f9a6876f570be2',
      body: '{"registry_name":"go 仓库 (1/2)+*","registry_type":"Harbor","api_version":"V2","protocol":"https","registry_addr":"harbor.example.com","registry_username":"robot","registry_password":"secret","connect_cluster_id":"local","get_scan_image_channel":"Swr"}\n',
    },
    {
      method: 'GET',
      target:
        '/v5/payments/image/registries?limit=10&registry_name=go%20%E4%BB%93%E5%BA%93%20%281%2F2%29%2B%2A',
      signature: 'c6b2880c0d78d6af204a81e67d708f71bd67bd5b0cd8bb57450d94d715631bf9',
      body: '',
    },
    {
      method: 'PUT',
      target: '/v5/payments/image/registries/6b0124e485f0a59cb333470a',
      signature: 'f78e4694e8bd3fc6a9b4290d9c2d2526f29875d589beec470b08e4a6e3f30595',
      body: '{"api_version":"V1"}\n',
    },
    {
      method: 'DELETE',
      target: '/v5/payments/image/registries/6b0124e485f0a59cb333470a',
      signature: '08e5da98505b82bd84df63eddecda99a13251fd92c5ab39cdea0f8fa3e0eb453',
      body: '',
    },
  ],
}

const PYTHON: Recorded = {
  signedHeaders: 'content-type;host;user-agent;x-project-id;x-sdk-date',
  headers: {
    'content-type': 'application/json',
    host: '127.0.0.1:35435',
    'user-agent':
      'huaweicloud-usdk-python/3.0; os/Linux##1_SMP_PREEMPT_DYNAMIC_@0#x86_64 python/3.11.7 impl/CPython; app/a999f72c-553c-46c5-8b29-1a13857b014e',
    'x-project-id': 'payments',
    'x-sdk-date': '20261121T050209Z',
  },
  requests: [
    {
      method: 'POST',
      target: '/v5/payments/image/registries',
      signature: '1f6fed9e567da117677f085b4d496f3c1c59b09228510ca8407c7dd26e919bf7',
      body: '{}',
    },
    {
      method: 'POST',
      target: '/v5/payments/image/registries',
      signature: '8207f5e16a0783553809f2a1a12c4c5453cf7ec52d3267263a552f2e986c89bd',
      body: '{"registry_name": "python \\u4ed3\\u5e93 (1/2)+*", "registry_type": "Harbor", "api_version": "V2", "protocol": "https", "registry_addr": "harbor.example.com", "registry_username": "robot", "registry_password": "secret", "connect_cluster_id": "local", "get_scan_image_channel": "Swr"}',
    },
    {
      method: 'GET',
      target:
        '/v5/payments/image/registries?limit=10&registry_name=python%20%E4%BB%93%E5%BA%93%20%281%2F2%29%2B%2A',
      signature: '51688ec6228d49aaa6e45570883f8694adb1a826d254a508edb7d6638d6cd2c9',
      body: '',
    },
    {
      method: 'PUT',
      target: '/v5/payments/image/registries/6b0124e485f0a59cb333470a',
      signature: '710b48db8f1d19b41a5bab523b372862743173f374ac514252a59cf9e244fb50',
      body: '{"api_version": "V1"}',
    },
    {
      method: 'DELETE',
      target: '/v5/payments/image/registries/6b0124e485f0a59cb333470a',
      signature: '33c5a53492bc7c8dbdaf2adb513ff49fd1eec4a1818ae294180d6302c3f14fb4',
      body: '',
    },
  ],
}

export const RECORDED = { Go: GO, Python: PYTHON }
