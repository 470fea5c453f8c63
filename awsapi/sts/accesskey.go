package sts

import (
	"tripod/awsapi/wire"
	"tripod/iam"
)

// AccessKeyInfo is the result of GetAccessKeyInfo.
type AccessKeyInfo struct{ Account string }

// accessKeyInfo tells the account in an access key's id, whether or not there is such a key.
func accessKeyInfo(call *wire.Call) (*AccessKeyInfo, error) {
	account, ok := iam.AccountOfKey(call.Params.Get("AccessKeyId"))
	if !ok {
		return nil, invalid("AccessKeyId must be an access key's id of 20 characters, such as AKIA...")
	}
	return &AccessKeyInfo{account}, nil
}
