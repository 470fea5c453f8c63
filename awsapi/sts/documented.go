package sts

import "tripod/awsapi/operation"

// documented are the lines of docs/operations.md: all operations of the API.
func documented() []operation.Documented {
	return operation.DocumentBy(operations, []operation.Clause{
		{Words: []string{"GetCallerIdentity"}, State: operation.Works, Effect: "who signed the call"},
		{Words: []string{"AssumeRoleWithWebIdentity"}, State: operation.Works,
			Effect: "for tokens of this region's clusters and of OIDC providers on loopback or named by `up " +
				"--oidc-issuer`, whose keys are fetched: signature, issuer, audience, times and the role's trust " +
				"policy are checked"},
		{Words: []string{"AssumeRoleWithSAML"}, State: operation.Refused, Effect: "Tripod has no SAML providers"},
		{Words: []string{"AssumeRole"}, State: operation.Works,
			Effect: "the role's trust policy is checked; session policies, tags and source identity count, also " +
				"along a " +
				"chain, and so does a code of a virtual MFA device; root is refused always"},
		{Words: []string{"GetFederationToken"}, State: operation.Works,
			Effect: "temporary credentials that may what the user and the given policies both allow"},
		{Words: []string{"GetSessionToken"}, State: operation.Works,
			Effect: "temporary credentials of the caller; those with a code of a virtual MFA device may call IAM, and " +
				"have aws:MultiFactorAuthPresent"},
		{Words: []string{"GetAccessKeyInfo"}, State: operation.Works, Effect: "the account that the key's id tells"},
		{Words: []string{"DecodeAuthorizationMessage"}, State: operation.Works,
			Effect: "who was refused what, with the condition keys, of EC2's encoded messages; the matched statements " +
				"are not told"},
		{Words: []string{""}, State: operation.Refused, Effect: "InvalidAction: Tripod does not have it yet"},
	})
}
