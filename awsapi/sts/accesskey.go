package sts

import (
	"tripod/awsapi/operation"
	"tripod/iam"
)

// AccessKeyInfo is the result of GetAccessKeyInfo.
type AccessKeyInfo struct{ Account string }

type accessKeyInput struct {
	AccessKeyID string `query:"AccessKeyId,required"`
}

// accessKeyInfo tells the account in an access key's id, whether or not there is such a key.
func (s *Service) accessKeyInfo(_ *operation.Call, in *accessKeyInput) (*AccessKeyInfo, error) {
	account, ok := iam.AccountOfKey(in.AccessKeyID)
	if !ok {
		// Ids of before 2019, such as AWS's own example AKIAIOSFODNN7EXAMPLE, do not tell the account, and no key here has
		// one.
		return nil, invalid("The access key with id " + in.AccessKeyID + " doesn't exist.")
	}
	return &AccessKeyInfo{account}, nil
}
