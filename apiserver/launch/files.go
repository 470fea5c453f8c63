package launch

import "fmt"

// egressConfig sends everything that an API server dials through the zone's gateway.
func egressConfig(socket string) string {
	text := "apiVersion: apiserver.k8s.io/v1beta1\nkind: EgressSelectorConfiguration\negressSelections:\n"
	for _, name := range []string{"cluster", "controlplane", "etcd"} {
		text += fmt.Sprintf("- name: %s\n  connection:\n    proxyProtocol: HTTPConnect\n    transport:\n      "+
			"uds:\n        udsName: %q\n", name, socket)
	}
	return text
}

// webhookConfig is a webhook's kubeconfig. The connection never leaves the zone: it is the gateway's unix socket.
func webhookConfig(clusterID, path string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: authenticator
  cluster: {server: "http://%s%s"}
users:
- name: apiserver
contexts:
- name: webhook
  context: {cluster: authenticator, user: apiserver}
current-context: webhook
`, AuthenticatorHost(clusterID), path)
}

// authorizationConfig asks for access policies what RBAC does not allow, and only for IAM's principals. The caches are
// short, so that a change counts within a second; an authorizer that does not answer leaves RBAC alone to decide.
func authorizationConfig(kubeconfig string) string {
	return fmt.Sprintf(`apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {type: Node, name: node}
- {type: RBAC, name: rbac}
- type: Webhook
  name: access-policies
  webhook:
    authorizedTTL: 1s
    unauthorizedTTL: 1s
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: NoOpinion
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: %q}
    matchConditions:
    - expression: "request.uid.startsWith('aws-iam-authenticator:')"
`, kubeconfig)
}

func kubeconfig(server, ca, cert, key string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: cluster
  cluster: {server: %q, certificate-authority: %q}
users:
- name: component
  user: {client-certificate: %q, client-key: %q}
contexts:
- name: default
  context: {cluster: cluster, user: component}
current-context: default
`, server, ca, cert, key)
}

// encryptionConfig encrypts Secrets at rest. What was written before it was switched on stays readable.
func encryptionConfig(key string) string {
	return fmt.Sprintf(`apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - secretbox:
      keys: [{name: key1, secret: %q}]
  - identity: {}
`, key)
}

// auditPolicy is EKS's, from the EKS Best Practices Guides ("Detective controls: enable audit logs").
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: RequestResponse
  namespaces: [kube-system]
  verbs: [update, patch, delete]
  resources: [{group: "", resources: [configmaps], resourceNames: [aws-auth]}]
- level: None
  users: ["system:kube-proxy"]
  verbs: [watch]
  resources: [{group: "", resources: [endpoints, services, services/status]}]
- level: None
  users: [kubelet]
  verbs: [get]
  resources: [{group: "", resources: [nodes, nodes/status]}]
- level: None
  userGroups: ["system:nodes"]
  verbs: [get]
  resources: [{group: "", resources: [nodes, nodes/status]}]
- level: None
  users: ["system:kube-controller-manager", "system:kube-scheduler", "system:serviceaccount:kube-system:endpoint-controller"]
  verbs: [get, update]
  namespaces: [kube-system]
  resources: [{group: "", resources: [endpoints]}]
- level: None
  users: ["system:apiserver"]
  verbs: [get]
  resources: [{group: "", resources: [namespaces, namespaces/status, namespaces/finalize]}]
- level: None
  users: ["system:kube-controller-manager"]
  verbs: [get, list]
  resources: [{group: metrics.k8s.io}]
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", /version, "/swagger*"]
- level: None
  resources: [{group: "", resources: [events]}]
- level: None # leases renew all day long, and say nothing
  users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"]
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: None
  userGroups: ["system:nodes"]
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: Request
  users: [kubelet, "system:node-problem-detector", "system:serviceaccount:kube-system:node-problem-detector"]
  verbs: [update, patch]
  resources: [{group: "", resources: [nodes/status, pods/status]}]
- level: Request
  userGroups: ["system:nodes"]
  verbs: [update, patch]
  resources: [{group: "", resources: [nodes/status, pods/status]}]
- level: Request
  users: ["system:serviceaccount:kube-system:namespace-controller"]
  verbs: [deletecollection]
- level: Metadata # these carry secrets
  resources:
  - {group: "", resources: [secrets, configmaps, serviceaccounts/token]}
  - {group: authentication.k8s.io, resources: [tokenreviews]}
- level: Request
  resources: [{group: "", resources: [serviceaccounts/token]}]
- level: Request
  verbs: [get, list, watch]
  resources:
  - {group: ""}
  - {group: admissionregistration.k8s.io}
  - {group: apiextensions.k8s.io}
  - {group: apiregistration.k8s.io}
  - {group: apps}
  - {group: authentication.k8s.io}
  - {group: authorization.k8s.io}
  - {group: autoscaling}
  - {group: batch}
  - {group: certificates.k8s.io}
  - {group: metrics.k8s.io}
  - {group: networking.k8s.io}
  - {group: policy}
  - {group: rbac.authorization.k8s.io}
  - {group: scheduling.k8s.io}
  - {group: storage.k8s.io}
- level: RequestResponse
  resources:
  - {group: ""}
  - {group: admissionregistration.k8s.io}
  - {group: apiextensions.k8s.io}
  - {group: apiregistration.k8s.io}
  - {group: apps}
  - {group: authentication.k8s.io}
  - {group: authorization.k8s.io}
  - {group: autoscaling}
  - {group: batch}
  - {group: certificates.k8s.io}
  - {group: metrics.k8s.io}
  - {group: networking.k8s.io}
  - {group: policy}
  - {group: rbac.authorization.k8s.io}
  - {group: scheduling.k8s.io}
  - {group: storage.k8s.io}
- level: Metadata
`
