package sts

import (
	"tripod/awsapi/wire"
	"tripod/iam"
)

// AccessKeyInfo is the result of GetAccessKeyInfo.
type AccessKeyInfo struct{ Account string }

type accessKeyInput struct {
	AccessKeyID string `query:"AccessKeyId,required"`
}

// accessKeyInfo tells the account in an access key's id, whether or not there is such a key.
func (s *Service) accessKeyInfo(_ *wire.Call, in *accessKeyInput) (*AccessKeyInfo, error) {
	account, ok := iam.AccountOfKey(in.AccessKeyID)
	if !ok {
		return nil, invalid("AccessKeyId must be an access key's id of 20 characters, such as AKIA...")
	}
	return &AccessKeyInfo{account}, nil
}
