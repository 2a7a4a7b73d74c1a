/*
 * Domains below which strangers have names. A login must not go from the registry of one customer to
 * a host of another only because both end alike: whoever can make a host there could collect it.
 * The Public Suffix List has many thousands of them; these are the ones of clouds, registries,
 * hosting, tunnels and dynamic names at which a registry, or somebody who waits for logins, can be.
 * Where one is missing, both ends must still be below it to be taken for one party.
 */

/**
 * Clouds whose customers have names at different depths, beside services of the cloud itself:
 * `1.dkr.ecr.eu-west-1.amazonaws.com`, `x.execute-api.eu-west-1.amazonaws.com`. No label tells whose
 * a host is, so each stands for itself.
 */
export const CLOUD_DOMAINS = new Set([
  // Amazon
  'amazonaws.com',
  'amazonaws.com.cn',
  'awsapprunner.com',
  'cloudfront.net',
  'elasticbeanstalk.com',
  'on.aws',
  // Microsoft
  'azure-api.net',
  'azurecontainer.io',
  'azurecontainerapps.io',
  'azureedge.net',
  'azurefd.net',
  'azurestaticapps.net',
  'azurewebsites.net',
  'cloudapp.azure.com',
  'cloudapp.net',
  'core.windows.net',
  'core.chinacloudapi.cn',
  'trafficmanager.net',
  // Google
  'appspot.com',
  'cloudfunctions.net',
  'googleapis.com',
  'googleusercontent.com',
  'run.app',
  // Alibaba, Huawei, Tencent, Baidu, Volcengine
  'aliyuncs.com',
  'bcebos.com',
  'baidubce.com',
  'fcapp.run',
  'huaweicloudapis.com',
  'myhuaweicloud.com',
  'myhuaweicloud.eu',
  'myqcloud.com',
  'tencentcs.com',
  'tencentyun.com',
  'volces.com',
  // Others
  'appdomain.cloud',
  'digitaloceanspaces.com',
  'linodeobjects.com',
  'oraclecloud.com',
  'ovh.net',
  'scw.cloud',
  'vultrobjects.com',
])

/** Below these each label is another customer, and what is below that label is his too. */
export const CUSTOMER_DOMAINS = new Set([
  // Registries
  'azurecr.cn',
  'azurecr.io',
  'azurecr.us',
  'jfrog.io',
  'tencentcloudcr.com',
  // Namespaces of Kubernetes, and clusters
  'openshiftapps.com',
  'svc.cluster.local',
  // Pages and programs
  'codeberg.page',
  'deno.dev',
  'firebaseapp.com',
  'fly.dev',
  'gitee.io',
  'github.dev',
  'github.io',
  'githubpreview.dev',
  'gitlab.io',
  'gitpod.io',
  'glitch.me',
  'herokuapp.com',
  'hf.space',
  'koyeb.app',
  'code.run',
  'netlify.app',
  'now.sh',
  'ondigitalocean.app',
  'onrender.com',
  'pages.dev',
  'r2.dev',
  'readthedocs.io',
  'repl.co',
  'replit.app',
  'replit.dev',
  'surge.sh',
  'up.railway.app',
  'vercel.app',
  'web.app',
  'workers.dev',
  // Tunnels
  'devtunnels.ms',
  'lhr.life',
  'loca.lt',
  'ngrok-free.app',
  'ngrok-free.dev',
  'ngrok.app',
  'ngrok.dev',
  'ngrok.io',
  'serveo.net',
  'trycloudflare.com',
  'ts.net',
  // Names for addresses
  'asuscomm.com',
  'ddns.net',
  'duckdns.org',
  'dyndns.org',
  'dynu.net',
  'dynv6.net',
  'eu.org',
  'freeddns.org',
  'hopto.org',
  'mooo.com',
  'myftp.org',
  'mynetgear.com',
  'myqnapcloud.com',
  'nip.io',
  'servehttp.com',
  'sslip.io',
  'synology.me',
  'sytes.net',
  'traefik.me',
  'xip.io',
  'zapto.org',
])
