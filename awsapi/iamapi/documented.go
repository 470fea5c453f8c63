package iamapi

import (
	"maps"
	"slices"

	"tripod/awsapi/wire"
)

// Documented are the lines of docs/operations.md: the operations that Tripod has.
func Documented() []wire.Documented {
	return wire.DocumentBy(slices.Sorted(maps.Keys((&Service{}).actions())), []wire.Clause{
		{Words: []string{"InstanceProfile"}, State: wire.Recorded, Effect: "kept; the instances of nodes have the profile of their cluster, CLUSTER-node"},
		{Words: []string{"LastUsed"}, State: wire.Recorded, Effect: "uses are not noted: it says N/A"},
		{Words: []string{"AccountAlias"}, State: wire.Recorded, Effect: "kept and shown; there is no console to sign in to"},
		{Words: []string{"LoginProfile", "Password"}, State: wire.Recorded, Effect: "kept, the password as a hash; there is no console to sign in to"},
		{Words: []string{"SAMLProvider"}, State: wire.Recorded, Effect: "kept and shown; nobody signs in by SAML"},
		{Words: []string{"MFADevice"}, State: wire.Works, Effect: "a device with a seed, whose codes GetSessionToken and AssumeRole take; the picture of the seed is blank"},
		{Words: []string{"OpenIDConnectProvider"}, State: wire.Works, Effect: "AssumeRoleWithWebIdentity asks for it; a port in the URL is allowed; a certificate with one of the thumbprints is trusted"},
		{Words: []string{"GetContextKeys"}, State: wire.Works, Effect: "the condition keys and variables in the policies"},
		{Words: []string{"Simulate"}, State: wire.Works, Effect: "decisions by the evaluator that guards the calls, with context keys and the boundary; matched statements are not told, resource policies are refused"},
		{Words: []string{"AccessKey"}, State: wire.Works, Effect: "counts from the next call on, in every zone; root's calls without UserName are about root"},
		{Words: []string{"AccountSummary"}, State: wire.Works, Effect: "counts, and the quotas that hold here"},
		{Words: []string{"ServiceLinkedRole"}, State: wire.Works, Effect: "roles of eks, eks-nodegroup, eks-fargate, autoscaling, elasticloadbalancing and spot"},
		{Words: []string{"Tag"}, State: wire.Works, Effect: "tags of users, roles, policies, instance profiles and providers"},
		{Words: []string{""}, State: wire.Works, Effect: "counts from the next call on, in every zone"},
	})
}
