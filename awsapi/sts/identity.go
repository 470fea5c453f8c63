package sts

import "tripod/awsapi/operation"

// CallerIdentity is the result of GetCallerIdentity, in the order in which STS writes it.
type CallerIdentity struct {
	ARN     string `xml:"Arn" json:"Arn"`
	UserID  string `xml:"UserId" json:"UserId"`
	Account string `xml:"Account" json:"Account"`
}

// GetCallerIdentity says who signed the call. No permission is needed, as in AWS.
func GetCallerIdentity(call *operation.Call) CallerIdentity {
	return CallerIdentity{ARN: call.Principal.ARN, UserID: call.Principal.UserID, Account: call.Principal.AccountID}
}
