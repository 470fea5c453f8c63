package iamapi

import (
	"maps"
	"slices"

	"tripod/awsapi/operation"
)

// documented are the lines of docs/operations.md: the operations that Tripod has.
func documented() []operation.Documented {
	return operation.DocumentBy(slices.Sorted(maps.Keys((&Service{}).actions())), []operation.Clause{
		{Words: []string{"InstanceProfile"}, State: operation.Recorded,
			Effect: "kept; the instances of nodes have the profile of their cluster, CLUSTER-node"},
		{Words: []string{"LastUsed"}, State: operation.Recorded, Effect: "uses are not noted: it says N/A"},
		{Words: []string{"AccountAlias"}, State: operation.Recorded,
			Effect: "kept and shown; there is no console to sign in to"},
		{Words: []string{"LoginProfile", "Password"}, State: operation.Recorded,
			Effect: "kept, the password as a hash; there is no console to sign in to"},
		{Words: []string{"SAMLProvider"}, State: operation.Recorded, Effect: "kept and shown; nobody signs in by SAML"},
		{Words: []string{"MFADevice"}, State: operation.Works,
			Effect: "a device with a seed, whose codes GetSessionToken and AssumeRole take; the picture of the seed is " +
				"blank"},
		{Words: []string{"OpenIDConnectProvider"}, State: operation.Works,
			Effect: "AssumeRoleWithWebIdentity asks for it; a port in the URL is allowed; a certificate with one of " +
				"the " +
				"thumbprints is trusted"},
		{Words: []string{"GetContextKeys"}, State: operation.Works,
			Effect: "the condition keys and variables in the policies"},
		{Words: []string{"Simulate"}, State: operation.Works,
			Effect: "decisions by the evaluator that guards the calls, with context keys and the boundary; matched " +
				"statements are not told, resource policies are refused"},
		{Words: []string{"AccessKey"}, State: operation.Works,
			Effect: "counts from the next call on, in every zone; root's calls without UserName are about root"},
		{Words: []string{"AccountSummary"}, State: operation.Works, Effect: "counts, and the quotas that hold here"},
		{Words: []string{"ServiceLinkedRole"}, State: operation.Works,
			Effect: "roles of eks, eks-nodegroup, eks-fargate, autoscaling, elasticloadbalancing and spot"},
		{Words: []string{"Tag"}, State: operation.Works,
			Effect: "tags of users, roles, policies, instance profiles and providers"},
		{Words: []string{""}, State: operation.Works, Effect: "counts from the next call on, in every zone"},
	})
}
