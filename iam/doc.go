// Package iam is who calls: IAM's users and access keys as records of the regional state, and the tokens with
// which they enter a cluster.
//
// A cluster's token is, as in EKS, a presigned STS GetCallerIdentity request. EKS sends it to STS to learn who signed
// it; Tripod is STS, so Verifier checks the signature itself against the keys in this zone's copy of the regional
// state. A token never leaves the process, and is never logged: it may have been signed with real AWS credentials,
// and then it opens real clusters until it expires.
//
// Each zone answers its API servers' two webhooks for itself: Authenticator says as whom a token's principal enters, by
// access entries and the ConfigMap aws-auth, and Authorizer what access policies let it do. Policies are data:
// accesspolicies.json has their rules as AWS documents them, and where.
package iam
