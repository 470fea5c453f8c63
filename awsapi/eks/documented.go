package eks

import (
	"tripod/awsapi/wire"
)

// Documented are the lines of docs/operations.md: every operation of the API in the order of their names, and what it does here.
func Documented() []wire.Documented {
	actions := (&Service{}).actions()
	lines := make([]wire.Documented, 0, len(operations))
	for _, schema := range operations {
		name := schema.ID().Name
		line := documented[name]
		line.Operation = name
		if _, ok := actions[name]; !ok {
			line.State, line.Effect = wire.Refused, "UnknownOperationException: Tripod does not have it yet"
		}
		lines = append(lines, line)
	}
	return lines
}

// documented says of each operation how far it goes and which real effect it has.
var documented = map[string]wire.Documented{
	// Clusters.
	"CreateCluster":           {State: wire.Works, Effect: "a real control plane over three zones starts; where memory is short the cluster is FAILED and says so; the endpoint admits whom it should; the log types that are on go to CloudWatch Logs; its tier, control-plane parameters and whether it has add-ons take effect"},
	"DeleteCluster":           {State: wire.Works, Effect: "the control plane stops and its data goes, with all that belongs to the cluster; its log group and the IAM role CLUSTER-node of its first nodes stay"},
	"DescribeCluster":         {State: wire.Works, Effect: "the cluster's true state, endpoint, authority and issuer"},
	"ListClusters":            {State: wire.Works, Effect: "the clusters, and with include=all those registered from outside"},
	"DescribeClusterVersions": {State: wire.Works, Effect: "the Kubernetes versions that run here, with the dates that are known, the tiers and the parameters' bounds"},
	"UpdateClusterVersion":    {State: wire.Works, Effect: "API servers and controllers are replaced zone by zone by those of the next version, and back when one does not become ready; a zone that is down is waited for; insights in ERROR refuse it unless forced"},
	"UpdateClusterConfig":     {State: wire.Works, Effect: "one change at a time, as an update; tier and control-plane parameters are rolled out zone by zone as a version is, deletion protection, zonal shift, logging (to CloudWatch Logs) and who may reach the endpoint (by public port, private port and `up --client-address`) take effect, the rest is kept and shown and changes nothing yet"},
	"CancelUpdate":            {State: wire.Works, Effect: "a change of version, tier or parameters that is under way goes back"},
	"DescribeUpdate":          {State: wire.Works, Effect: "an update's true state, parameters and errors"},
	"ListUpdates":             {State: wire.Works, Effect: "the updates of a cluster, node group, add-on or capability"},

	"CreateCertificateAuthority":   {State: wire.Works, Effect: "a second authority is made and, zone by zone, trusted by API servers, controllers, nodes and the kubeconfig"},
	"ActivateCertificateAuthority": {State: wire.Works, Effect: "the authority signs: all certificates are issued anew, zone by zone; back to the first one by the same call"},
	"DeleteCertificateAuthority":   {State: wire.Works, Effect: "the authority is trusted no more, zone by zone"},
	"DescribeCertificateAuthority": {State: wire.Works, Effect: "the authority's true state; Tripod activates none by itself"},
	"ListCertificateAuthorities":   {State: wire.Works, Effect: "the cluster's one or two authorities"},

	"AssociateEncryptionConfig": {State: wire.Works, Effect: "the cluster's key of encryption at rest is under the KMS key: while that cannot be used, health says so and no API server starts; secrets are not encrypted anew"},

	// Access.
	"CreateAccessEntry":            {State: wire.Works, Effect: "the principal gets into the cluster by all zones"},
	"DescribeAccessEntry":          {State: wire.Works, Effect: "the entry"},
	"ListAccessEntries":            {State: wire.Works, Effect: "the entries' principals"},
	"UpdateAccessEntry":            {State: wire.Works, Effect: "username and groups count within a second"},
	"DeleteAccessEntry":            {State: wire.Works, Effect: "the principal is out within a second"},
	"ListAccessPolicies":           {State: wire.Works, Effect: "the policies that AWS manages"},
	"AssociateAccessPolicy":        {State: wire.Works, Effect: "the policy counts within a second, in its scope; one whose rules AWS does not publish allows nothing"},
	"DisassociateAccessPolicy":     {State: wire.Works, Effect: "the policy counts no longer, within a second"},
	"ListAssociatedAccessPolicies": {State: wire.Works, Effect: "the entry's associations"},

	"CreatePodIdentityAssociation":   {State: wire.Works, Effect: "new pods of the service account get the environment and the token of EKS Pod Identity, and EKS Auth gives credentials of the role for it"},
	"DescribePodIdentityAssociation": {State: wire.Works, Effect: "the association as it was asked for"},
	"ListPodIdentityAssociations":    {State: wire.Works, Effect: "the cluster's associations"},
	"UpdatePodIdentityAssociation":   {State: wire.Recorded, Effect: "role, policy and session tags of the association"},
	"DeletePodIdentityAssociation":   {State: wire.Recorded, Effect: "the association is gone"},

	"AssociateIdentityProviderConfig":    {State: wire.Works, Effect: "API servers take the provider's tokens within some ten seconds, without a restart; a provider that is neither on loopback nor named by `up --oidc-issuer` is kept and never asked; its certificate must be one that the system trusts"},
	"DisassociateIdentityProviderConfig": {State: wire.Works, Effect: "the provider's tokens are taken no more"},
	"DescribeIdentityProviderConfig":     {State: wire.Works, Effect: "the configuration as it was asked for"},
	"ListIdentityProviderConfigs":        {State: wire.Works, Effect: "the cluster's configurations"},

	// Compute.
	"CreateNodegroup":        {State: wire.Recorded, Effect: "kept; no nodes join for it yet"},
	"DescribeNodegroup":      {State: wire.Recorded, Effect: "the node group as it was asked for"},
	"ListNodegroups":         {State: wire.Recorded, Effect: "the cluster's node groups"},
	"UpdateNodegroupConfig":  {State: wire.Recorded, Effect: "labels, taints, sizes and policies of the node group, as an update that can be described"},
	"UpdateNodegroupVersion": {State: wire.Recorded, Effect: "version and release of the node group, as an update that can be described"},
	"DeleteNodegroup":        {State: wire.Recorded, Effect: "the node group is gone"},
	"CreateFargateProfile":   {State: wire.Recorded, Effect: "kept; no pod is placed by it yet"},
	"DescribeFargateProfile": {State: wire.Recorded, Effect: "the profile as it was asked for"},
	"ListFargateProfiles":    {State: wire.Recorded, Effect: "the cluster's profiles"},
	"DeleteFargateProfile":   {State: wire.Recorded, Effect: "the profile is gone"},

	// Add-ons, capabilities, insights.
	"CreateAddon":                {State: wire.Recorded, Effect: "version and configuration are checked and kept; what a fresh cluster shows stays as it is"},
	"DescribeAddon":              {State: wire.Recorded, Effect: "the add-on as it was asked for"},
	"ListAddons":                 {State: wire.Recorded, Effect: "the cluster's add-ons"},
	"UpdateAddon":                {State: wire.Recorded, Effect: "version and configuration of the add-on, as an update that can be described"},
	"DeleteAddon":                {State: wire.Recorded, Effect: "the add-on is gone from the list"},
	"DescribeAddonVersions":      {State: wire.Recorded, Effect: "a catalogue that is part of Tripod"},
	"DescribeAddonConfiguration": {State: wire.Recorded, Effect: "the JSON schemas that configurations are checked against"},
	"CreateCapability":           {State: wire.Recorded, Effect: "kept; nothing of it runs"},
	"DescribeCapability":         {State: wire.Recorded, Effect: "the capability as it was asked for"},
	"ListCapabilities":           {State: wire.Recorded, Effect: "the cluster's capabilities"},
	"UpdateCapability":           {State: wire.Recorded, Effect: "the capability's configuration, as an update that can be described"},
	"DeleteCapability":           {State: wire.Recorded, Effect: "the capability is gone"},
	"ListInsights":               {State: wire.Works, Effect: "computed at each call from the cluster's records and from the calls to deprecated APIs that the API servers have counted; later versions are listed where one of their removals was called"},
	"DescribeInsight":            {State: wire.Works, Effect: "one insight with its resources and advice; of the clients of deprecated APIs the calls and the time, not the user agent, which API servers do not count"},
	"StartInsightsRefresh":       {State: wire.Works, Effect: "every zone reads its API server's counts of deprecated calls, as it does once a day"},
	"DescribeInsightsRefresh":    {State: wire.Works, Effect: "the last refresh, in progress until all zones have answered or 10 s are over"},

	// Beside the region.
	"RegisterCluster":               {State: wire.Recorded, Effect: "kept with an activation code; no agent can connect, so it stays PENDING"},
	"DeregisterCluster":             {State: wire.Recorded, Effect: "the registered cluster is gone"},
	"CreateEksAnywhereSubscription": {State: wire.Recorded, Effect: "kept, never billed"},

	"DescribeEksAnywhereSubscription": {State: wire.Recorded, Effect: "the subscription as it was asked for"},
	"ListEksAnywhereSubscriptions":    {State: wire.Recorded, Effect: "the account's subscriptions"},
	"UpdateEksAnywhereSubscription":   {State: wire.Recorded, Effect: "whether the subscription renews itself"},
	"DeleteEksAnywhereSubscription":   {State: wire.Recorded, Effect: "the subscription is gone"},

	// Tags.
	"TagResource":         {State: wire.Works, Effect: "tags of a resource that exists, shown wherever it is described"},
	"UntagResource":       {State: wire.Works, Effect: "the tags are gone"},
	"ListTagsForResource": {State: wire.Works, Effect: "the resource's tags"},
}
