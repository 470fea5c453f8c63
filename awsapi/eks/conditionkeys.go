package eks

import (
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// Operations that condition keys and roles are about.
var (
	clusterSettings = []string{"CreateCluster", "UpdateClusterConfig"}
	entryRequests   = []string{"CreateAccessEntry", "UpdateAccessEntry"}
	entryPolicies   = []string{"AssociateAccessPolicy", "DisassociateAccessPolicy"}
)

// memberKeys are EKS's own condition keys, without eks:, and the members of requests that they are the values of: after
// "Condition keys for Amazon Elastic Kubernetes Service" of the Service Authorization Reference. A request that leaves
// a member out has no such key, whatever EKS then takes.
var memberKeys = []struct {
	key, path  string
	operations []string
}{
	{"authenticationMode", "accessConfig.authenticationMode", clusterSettings},
	{"blockStorageEnabled", "storageConfig.blockStorage.enabled", clusterSettings},
	{"bootstrapClusterCreatorAdminPermissions", "accessConfig.bootstrapClusterCreatorAdminPermissions", clusterSettings},
	{"bootstrapSelfManagedAddons", "bootstrapSelfManagedAddons", clusterSettings},
	{"computeConfigEnabled", "computeConfig.enabled", clusterSettings},
	{"controlPlaneEgressMode", "resourcesVpcConfig.controlPlaneEgressMode", clusterSettings},
	{"controlPlaneScalingTier", "controlPlaneScalingConfig.tier", clusterSettings},
	{"deletionProtection", "deletionProtection", clusterSettings},
	{"elasticLoadBalancingEnabled", "kubernetesNetworkConfig.elasticLoadBalancing.enabled", clusterSettings},
	{"endpointPrivateAccess", "resourcesVpcConfig.endpointPrivateAccess", clusterSettings},
	{"endpointPublicAccess", "resourcesVpcConfig.endpointPublicAccess", clusterSettings},
	{"supportType", "upgradePolicy.supportType", clusterSettings},
	{"zonalShiftEnabled", "zonalShiftConfig.enabled", clusterSettings},
	{"kubernetesVersion", "version", []string{"CreateCluster", "UpdateClusterVersion"}},
	{"encryptionConfigProviderKeyArns", "encryptionConfig.provider.keyArn",
		[]string{"CreateCluster", "AssociateEncryptionConfig"}},
	{"clusterName", "clusterName", entryRequests},
	{"accessEntryType", "type", entryRequests},
	{"kubernetesGroups", "kubernetesGroups", entryRequests},
	{"principalArn", "principalArn", entryRequests},
	{"username", "username", entryRequests},
	{"policyArn", "policyArn", entryPolicies},
	{"accessScope", "accessScope.type", entryPolicies},
	{"namespaces", "accessScope.namespaces", entryPolicies},
	{"clientId", "oidc.clientId", []string{"AssociateIdentityProviderConfig"}},
	{"issuerUrl", "oidc.issuerUrl", []string{"AssociateIdentityProviderConfig"}},
}

// presentKeys are keys that say whether a request has a member at all.
var presentKeys = []string{"kubeApiServerConfig", "kubeControllerManagerConfig", "kubeSchedulerConfig"}

// requestKeys are EKS's own condition keys of a call.
func requestKeys(call *operation.Call) iam.Keys {
	keys := iam.Keys{}
	for _, m := range memberKeys {
		if !slices.Contains(m.operations, call.Operation) {
			continue
		}
		if values := call.Input.Values(m.path); len(values) > 0 {
			keys["eks:"+strings.ToLower(m.key)] = values
		}
	}
	if !slices.Contains(clusterSettings, call.Operation) {
		return keys
	}
	for _, member := range presentKeys {
		keys["eks:"+strings.ToLower(member)] = []string{strconv.FormatBool(len(call.Input.Values(member)) > 0)}
	}
	for _, enabled := range []string{"true", "false"} {
		for _, kind := range call.Input.ValuesWhere("logging.clusterLogging", "enabled", enabled, "types") {
			keys["eks:loggingtype/"+strings.ToLower(kind)] = []string{enabled}
		}
	}
	return keys
}

// entryKeys are the condition keys of an access entry that there is.
func entryKeys(tx *state.Txn, cluster region.Cluster, principal string) iam.Keys {
	keys := iam.Keys{"eks:clustername": {cluster.Name}, "eks:principalarn": {principal}}
	if entry, found := accessEntries.get(tx, cluster.ID, principal); found {
		keys["eks:accessentrytype"], keys["eks:username"] = []string{entry.Type}, []string{entry.Username}
		if len(entry.Groups) > 0 {
			keys["eks:kubernetesgroups"] = entry.Groups
		}
	}
	return keys
}

// passing are the members by which requests give a role to a service: the caller needs iam:PassRole for each.
var passing = []struct {
	operations    []string
	path, service string
}{
	{[]string{"CreateCluster"}, "roleArn", eksService},
	{clusterSettings, "computeConfig.nodeRoleArn", eksService},
	{[]string{"CreateNodegroup"}, "nodeRole", eksService},
	{[]string{"CreateFargateProfile"}, "podExecutionRoleArn", eksService},
	{[]string{"CreateAddon", "UpdateAddon"}, "serviceAccountRoleArn", eksService},
	{[]string{"CreateAddon", "UpdateAddon"}, "podIdentityAssociations.roleArn", podsService},
	{[]string{"CreatePodIdentityAssociation", "UpdatePodIdentityAssociation"}, "roleArn", podsService},
	{[]string{"CreateCapability", "UpdateCapability"}, "roleArn", capabilityService},
	{[]string{"RegisterCluster"}, "connectorConfig.roleArn", eksService},
	{[]string{"CreateAccessEntry"}, "principalArn", eksService},
}

// passingTypes are the types of access entries that give a role to nodes, as "Create access entries" of the user guide
// has it. The others let a principal in, which is giving nothing to anybody.
var passingTypes = []string{linuxNodes, windowsNodes}

// passedRoles are the roles that a call gives to services, whatever stands there: what looks like no role's ARN here,
// such as one with a space before it, an operation could still take for one.
func passedRoles(call *operation.Call) []operation.PassedRole {
	var passed []operation.PassedRole
	for _, p := range passing {
		if !slices.Contains(p.operations, call.Operation) {
			continue
		}
		if call.Operation == "CreateAccessEntry" &&
			!slices.ContainsFunc(call.Input.Values("type"),
				func(kind string) bool { return slices.Contains(passingTypes, kind) }) {
			continue
		}
		for _, arn := range call.Input.Values(p.path) {
			passed = append(passed, operation.PassedRole{ARN: arn, Service: p.service})
		}
	}
	return passed
}

// makings are the operations that make what can have tags from the start, for which the caller needs eks:TagResource
// too: of what belongs to a cluster its kind and the member that names it, as its ARN has them.
var makings = map[string]struct{ kind, name string }{
	"CreateCluster": {}, "RegisterCluster": {}, "CreateEksAnywhereSubscription": {},
	"CreateNodegroup":                 {nodegroups.kind, "nodegroupName"},
	"CreateFargateProfile":            {fargateProfiles.kind, "fargateProfileName"},
	"CreateAddon":                     {addons.kind, "addonName"},
	"CreateCapability":                {capabilities.kind, "capabilityName"},
	"CreateAccessEntry":               {accessEntries.kind, ""},
	"CreatePodIdentityAssociation":    {podIdentities.kind, ""},
	"AssociateIdentityProviderConfig": {identityProviders.kind, ""},
}
