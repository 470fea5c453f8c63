package eks

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/smithy-go"

	"tripod/awsapi/operation"
)

//go:generate go run ../../internal/constraints -model $EKS_MODEL -sdk $EKS_SDK -package eks -out constraints_gen.go

// model is what EKS's model and condition keys say of all inputs.
var model = operation.Model{Constraints: constraints, Refuse: refusal, Keys: requestKeys, Passed: passedRoles}

// typed makes an action of a method that takes the SDK's input and gives the SDK's output.
func typed[In any, Out smithy.Serializable](handle func(*operation.Call, *In) (Out, error)) operation.Action {
	return operation.Typed(model, handle)
}

// An entry is one operation: its schema, the method that does it, and its line of docs/operations.md. The method is nil
// where Tripod does not have the operation.
type entry struct {
	schema *smithy.Schema
	do     operation.Action
	state  operation.State
	effect string
}

// operations are all of the API's.
func (s *Service) operations() []entry {
	const works, recorded = operation.Works, operation.Recorded
	return []entry{
		// Clusters.
		{schemas.CreateCluster, typed(s.createCluster), works,
			"a real control plane over three zones starts; where memory is short the cluster is FAILED and says " +
				"so; the endpoint admits whom it should; the log types that are on go to CloudWatch Logs; its tier, " +
				"control-plane parameters and whether it has add-ons take effect"},
		{schemas.DeleteCluster, typed(s.deleteCluster), works,
			"the control plane stops and its data goes, with all that belongs to the cluster; its log group and " +
				"the IAM role CLUSTER-node of its first nodes stay"},
		{schemas.DescribeCluster, typed(s.describeCluster), works,
			"the cluster's true state, endpoint, authority and issuer"},
		{schemas.ListClusters, typed(s.listClusters), works,
			"the clusters, and with include=all those registered from outside"},
		{schemas.DescribeClusterVersions, typed(s.describeClusterVersions), works,
			"the Kubernetes versions that run here, with the dates that are known, the tiers and the parameters' " +
				"bounds"},
		{schemas.UpdateClusterVersion, typed(s.updateClusterVersion), works,
			"API servers and controllers are replaced zone by zone by those of the next version, and back when " +
				"one does not become ready; a zone that is down is waited for; insights in ERROR refuse it unless " +
				"forced"},
		{schemas.UpdateClusterConfig, typed(s.updateClusterConfig), works,
			"one change at a time, as an update; tier and control-plane parameters are rolled out zone by zone " +
				"as a version is, deletion protection, zonal shift, logging (to CloudWatch Logs) and who may reach " +
				"the endpoint (by public port, private port and `up --client-address`) take effect, the rest is kept " +
				"and shown and changes nothing yet"},
		{schemas.CancelUpdate, typed(s.cancelUpdate), works,
			"a change of version, tier or parameters that is under way goes back"},
		{schemas.DescribeUpdate, typed(s.describeUpdate), works,
			"an update's true state, parameters and errors"},
		{schemas.ListUpdates, typed(s.listUpdates), works,
			"the updates of a cluster, node group, add-on or capability"},
		// Certificate authorities. The rotation is the guide's: a successor is appended and from then on trusted, it is
		// activated and signs, and the outgoing one is deleted and trusted no more. Each step is rolled out over the zones.
		{schemas.CreateCertificateAuthority, typed(s.createCertificateAuthority), works,
			"a second authority is made and, zone by zone, trusted by API servers, controllers, nodes and the " +
				"kubeconfig"},
		{schemas.ActivateCertificateAuthority, typed(s.activateCertificateAuthority), works,
			"the authority signs: all certificates are issued anew, zone by zone; back to the first one by the " +
				"same call"},
		{schemas.DeleteCertificateAuthority, typed(s.deleteCertificateAuthority), works,
			"the authority is trusted no more, zone by zone"},
		{schemas.DescribeCertificateAuthority, typed(s.describeCertificateAuthority), works,
			"the authority's true state; Tripod activates none by itself"},
		{schemas.ListCertificateAuthorities, typed(s.listCertificateAuthorities), works,
			"the cluster's one or two authorities"},
		{schemas.AssociateEncryptionConfig, typed(s.associateEncryptionConfig), works,
			"the cluster's key of encryption at rest is under the KMS key: while that cannot be used, health " +
				"says so and no API server starts; secrets are not encrypted anew"},

		// Access.
		{schemas.CreateAccessEntry, typed(s.createAccessEntry), works,
			"the principal gets into the cluster by all zones"},
		{schemas.DescribeAccessEntry, typed(s.describeAccessEntry), works,
			"the entry"},
		{schemas.ListAccessEntries, typed(s.listAccessEntries), works,
			"the entries' principals"},
		{schemas.UpdateAccessEntry, typed(s.updateAccessEntry), works,
			"username and groups count within a second"},
		{schemas.DeleteAccessEntry, typed(s.deleteAccessEntry), works,
			"the principal is out within a second"},
		{schemas.ListAccessPolicies, typed(s.listAccessPolicies), works,
			"the policies that AWS manages"},
		{schemas.AssociateAccessPolicy, typed(s.associateAccessPolicy), works,
			"the policy counts within a second, in its scope; one whose rules AWS does not publish allows nothing"},
		{schemas.DisassociateAccessPolicy, typed(s.disassociateAccessPolicy), works,
			"the policy counts no longer, within a second"},
		{schemas.ListAssociatedAccessPolicies, typed(s.listAssociatedAccessPolicies), works,
			"the entry's associations"},
		{schemas.CreatePodIdentityAssociation, typed(s.createPodIdentityAssociation), works,
			"new pods of the service account get the environment and the token of EKS Pod Identity, and EKS Auth " +
				"gives credentials of the role for it"},
		{schemas.DescribePodIdentityAssociation, typed(s.describePodIdentityAssociation), works,
			"the association as it was asked for"},
		{schemas.ListPodIdentityAssociations, typed(s.listPodIdentityAssociations), works,
			"the cluster's associations"},
		{schemas.UpdatePodIdentityAssociation, typed(s.updatePodIdentityAssociation), recorded,
			"role, policy and session tags of the association"},
		{schemas.DeletePodIdentityAssociation, typed(s.deletePodIdentityAssociation), recorded,
			"the association is gone"},
		{schemas.AssociateIdentityProviderConfig, typed(s.associateIdentityProviderConfig), works,
			"API servers take the provider's tokens within some ten seconds, without a restart; a provider that " +
				"is neither on loopback nor named by `up --oidc-issuer` is kept and never asked; its certificate " +
				"must be one that the system trusts"},
		{schemas.DisassociateIdentityProviderConfig, typed(s.disassociateIdentityProviderConfig), works,
			"the provider's tokens are taken no more"},
		{schemas.DescribeIdentityProviderConfig, typed(s.describeIdentityProviderConfig), works,
			"the configuration as it was asked for"},
		{schemas.ListIdentityProviderConfigs, typed(s.listIdentityProviderConfigs), works,
			"the cluster's configurations"},

		// Compute.
		{schemas.CreateNodegroup, typed(s.createNodegroup), works,
			"a launch template, an instance profile and an Auto Scaling group are made, whose instances join; " +
				"CREATE_FAILED with EKS's issue where they do not: after half a minute of trouble that is known, " +
				"else (and with `up --pace real`) after 15 minutes; where a lenient region has not got what it names it is kept only"},
		{schemas.DescribeNodegroup, typed(s.describeNodegroup), works,
			"the node group's true state and health, and the desired size that its Auto Scaling group has"},
		{schemas.ListNodegroups, typed(s.listNodegroups), works,
			"the cluster's node groups"},
		{schemas.UpdateNodegroupConfig, typed(s.updateNodegroupConfig), works,
			"sizes go to the Auto Scaling group, labels and taints to new nodes and once to those there are; ill nodes are " +
				"replaced where node repair is on, after seconds where EKS waits for minutes; a warm pool is recorded"},
		{schemas.UpdateNodegroupVersion, typed(s.updateNodegroupVersion), works,
			"nodes are replaced by EKS's phases; a node that is not drained after a minute (15 with `up --pace real`) makes " +
				"the update fail and go back, or with force loses its pods"},
		{schemas.DeleteNodegroup, typed(s.deleteNodegroup), works,
			"nodes are drained for a minute at most (15 with `up --pace real`) and terminated, then what was made for them goes"},
		{schemas.CreateFargateProfile, typed(s.createFargateProfile), works,
			"new pods that match run on machines of their own, simulated as all nodes are; ACTIVE when API servers ask about new " +
				"pods; logs go nowhere, as no log router runs"},
		{schemas.DescribeFargateProfile, typed(s.describeFargateProfile), works,
			"the profile with its status"},
		{schemas.ListFargateProfiles, typed(s.listFargateProfiles), works,
			"the cluster's profiles"},
		{schemas.DeleteFargateProfile, typed(s.deleteFargateProfile), works,
			"its pods are deleted, and their nodes go; then the profile does, and its role's access entry unless another one has it"},

		// Add-ons, capabilities, insights.
		{schemas.CreateAddon, typed(s.createAddon), recorded,
			"version and configuration are checked and kept; with aws-ebs-csi-driver its driver works, with snapshot-controller " +
				"VolumeSnapshots too; metrics.k8s.io is there with metrics-server and without it; others change nothing"},
		{schemas.DescribeAddon, typed(s.describeAddon), recorded,
			"the add-on as it was asked for"},
		{schemas.ListAddons, typed(s.listAddons), recorded,
			"the cluster's add-ons"},
		{schemas.UpdateAddon, typed(s.updateAddon), recorded,
			"version and configuration of the add-on, as an update that can be described"},
		{schemas.DeleteAddon, typed(s.deleteAddon), recorded,
			"the add-on is gone from the list, and with aws-ebs-csi-driver its driver and its objects"},
		{schemas.DescribeAddonVersions, typed(s.describeAddonVersions), recorded,
			"a catalogue that is part of Tripod"},
		{schemas.DescribeAddonConfiguration, typed(s.describeAddonConfiguration), recorded,
			"the JSON schemas that configurations are checked against"},
		{schemas.CreateCapability, typed(s.createCapability), recorded,
			"kept; nothing of it runs"},
		{schemas.DescribeCapability, typed(s.describeCapability), recorded,
			"the capability as it was asked for"},
		{schemas.ListCapabilities, typed(s.listCapabilities), recorded,
			"the cluster's capabilities"},
		{schemas.UpdateCapability, typed(s.updateCapability), recorded,
			"the capability's configuration, as an update that can be described"},
		{schemas.DeleteCapability, typed(s.deleteCapability), recorded,
			"the capability is gone"},
		{schemas.ListInsights, typed(s.listInsights), works,
			"computed at each call from the cluster's records and from the calls to deprecated APIs that the API " +
				"servers have counted; later versions are listed where one of their removals was called"},
		{schemas.DescribeInsight, typed(s.describeInsight), works,
			"one insight with its resources and advice; of the clients of deprecated APIs the calls and the " +
				"time, not the user agent, which API servers do not count"},
		{schemas.StartInsightsRefresh, typed(s.startInsightsRefresh), works,
			"every zone reads its API server's counts of deprecated calls, as it does once a day"},
		{schemas.DescribeInsightsRefresh, typed(s.describeInsightsRefresh), works,
			"the last refresh, in progress until all zones have answered or 10 s are over"},

		// Beside the region.
		{schemas.RegisterCluster, typed(s.registerCluster), recorded,
			"kept with an activation code; no agent can connect, so it stays PENDING"},
		{schemas.DeregisterCluster, typed(s.deregisterCluster), recorded,
			"the registered cluster is gone"},
		{schemas.CreateEksAnywhereSubscription, typed(s.createEksAnywhereSubscription), recorded,
			"kept, never billed"},
		{schemas.DescribeEksAnywhereSubscription, typed(s.describeEksAnywhereSubscription), recorded,
			"the subscription as it was asked for"},
		{schemas.ListEksAnywhereSubscriptions, typed(s.listEksAnywhereSubscriptions), recorded,
			"the account's subscriptions"},
		{schemas.UpdateEksAnywhereSubscription, typed(s.updateEksAnywhereSubscription), recorded,
			"whether the subscription renews itself"},
		{schemas.DeleteEksAnywhereSubscription, typed(s.deleteEksAnywhereSubscription), recorded,
			"the subscription is gone"},

		// Tags.
		{schemas.TagResource, typed(s.tagResource), works,
			"tags of a resource that exists, shown wherever it is described"},
		{schemas.UntagResource, typed(s.untagResource), works,
			"the tags are gone"},
		{schemas.ListTagsForResource, typed(s.listTagsForResource), works,
			"the resource's tags"},
	}
}

// API is the service as it is called.
func (s *Service) API() *operation.RESTAPI {
	api := &operation.RESTAPI{Name: Name, AlwaysWritten: alwaysWritten}
	for _, one := range s.operations() {
		api.Operations = append(api.Operations, operation.RESTOf(one.schema, one.do))
	}
	return api
}

// documented are the lines of docs/operations.md: every operation of the API in the order of their names.
func documented() []operation.Documented {
	var lines []operation.Documented
	for _, one := range (&Service{}).operations() {
		line := operation.Documented{Operation: one.schema.ID().Name, State: one.state, Effect: one.effect}
		if one.do == nil {
			line.State, line.Effect = operation.Refused, "UnknownOperationException: Tripod does not have it yet"
		}
		lines = append(lines, line)
	}
	slices.SortFunc(lines, func(a, b operation.Documented) int { return strings.Compare(a.Operation, b.Operation) })
	return lines
}
