package iamapi

import (
	"tripod/awsapi/operation"
	"tripod/iam"
)

// paramKeys are IAM's own condition keys that are parameters of a request ("Condition keys for AWS Identity and Access
// Management" of the Service Authorization Reference).
var paramKeys = map[string]string{
	"PolicyArn": "iam:policyarn", "PermissionsBoundary": "iam:permissionsboundary", "AWSServiceName": "iam:awsservicename",
}

// requestKeys are IAM's own condition keys of a call.
func requestKeys(call *operation.Call) iam.Keys {
	keys := iam.Keys{}
	for param, key := range paramKeys {
		if values := call.Params[param]; len(values) > 0 {
			keys[key] = values[:1]
		}
	}
	return keys
}

// keys are the condition keys of what a call is about: its tags, and the boundary within which its permissions may be
// changed.
func (e entity) keys() iam.Keys {
	keys := iam.Keys{}
	if e.tags != nil {
		keys = iam.TagKeys("aws:ResourceTag", *e.tags).With(iam.TagKeys("iam:ResourceTag", *e.tags))
	}
	if e.boundary != nil && *e.boundary != "" {
		keys["iam:permissionsboundary"] = []string{*e.boundary}
	}
	return keys
}
