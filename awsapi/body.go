package awsapi

import (
	"errors"
	"io"
	"net/http"

	"tripod/awsapi/arczonalshift"
	"tripod/awsapi/eksauth"
	"tripod/awsapi/elb"
	"tripod/awsapi/kms"
	"tripod/awsapi/logs"
	"tripod/awsapi/sts"
	"tripod/awsapi/wire"
)

// How large a request's body may be, in bytes. A form takes three bytes for a character that it must escape, and JSON six.
const (
	maxBody = 1 << 20 // policies of IAM, user data of EC2, configurations of EKS, and what is passed on
	// maxUnsignedBody is that of STS's calls with a token instead of a signature: 100,000 characters of a SAML assertion, or 20,000 of a token
	// and policies.
	maxUnsignedBody = 384 << 10
)

// bodyLimits are the limits of services whose operations all take less than maxBody, and of operations that take more.
var (
	bodyLimits = map[string]int64{
		sts.Name:           256 << 10, // a policy of 2048 characters, ten policies' ARNs, 50 tags
		kms.Name:           256 << 10, // a policy of 32 KiB
		eksauth.Name:       64 << 10,  // a token
		arczonalshift.Name: 64 << 10,
		elb.Name:           64 << 10,
		logs.Name:          256 << 10, // patterns of 1024 characters, 50 tags
	}
	operationLimits = map[string]map[string]int64{
		logs.Name: {
			"PutLogEvents":     8 << 20, // 1 MiB of messages
			"TestMetricFilter": maxBody, // 50 messages
		},
	}
)

// limitOf is how large a call's body may be, as far as its header says which operation it calls.
func (s *server) limitOf(x *exchange, r *http.Request) int64 {
	service := x.service()
	if limit, ok := operationLimits[service][targetOf(r)]; ok && x.protocol == wire.AWSJSON {
		return limit
	}
	if limit, ok := bodyLimits[service]; ok && s.upstream == nil { // another emulator may have operations that take more
		return limit
	}
	return maxBody
}

// readBody reads the whole body, and not one byte of a body that says that it is too long.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, wire.TooLarge(limit)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, wire.TooLarge(limit)
	case err != nil:
		return nil, &wire.Error{Code: "RequestTimeoutException", Status: http.StatusBadRequest, Message: "The request's body could not be read.",
			Cause: err}
	}
	return body, nil
}
