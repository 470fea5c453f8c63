package awsapi

import (
	"errors"
	"net/http"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/internal/sigv4"
)

// authenticate verifies a signed request and says who made it. What is cheap is checked before the key is looked up,
// and the key before the signature: so AWS's errors come in the order in which users know them. The body is read last,
// when all that the header says is right.
func (s *server) authenticate(w http.ResponseWriter, r *http.Request) (*operation.Call, error) {
	x := exchangeOf(r)
	if x.signature == nil {
		return nil, s.unsigned(w, r)
	}
	if err := s.Fresh(r.Context()); err != nil {
		return nil, err
	}
	principal, secret, err := iam.Lookup(s.State, x.signature.AccessKeyID, x.signature.SessionToken, s.Now())
	switch {
	case errors.Is(err, iam.ErrUnknownKey):
		return nil,
			wire.UnknownKey(x.protocol,
				`Tripod does not know this access key: eval "$(tripod env)" sets the right one.`)
	case errors.Is(err, iam.ErrBadSessionToken):
		return nil, wire.UnknownKey(x.protocol, "The session token is not this access key's: unset AWS_SESSION_TOKEN, "+
			"or get new temporary credentials; "+
			"those that the aws CLI keeps of another region go with ~/.aws/cli/cache.")
	case errors.Is(err, iam.ErrExpired):
		return nil, expiredSession(x)
	case err != nil:
		return nil, err
	}
	var body []byte
	for _, check := range []func() error{
		func() error { return x.signature.CheckTime(s.Now()) },
		func() error { return x.signature.CheckScope(s.Region, x.signature.Service) },
		func() error { return x.signature.CheckHead(r, secret) },
		func() (err error) { body, err = readBody(w, r, s.bodyLimit(x, r)); return err },
		func() error { return x.signature.Verify(r, body, secret) },
	} {
		if err := check(); err != nil {
			return nil, signatureError(x, err)
		}
	}
	x.size = len(body)
	isKnown(r.Context())
	body, err = inflated(x, r, body, s.bodyLimit(x, r))
	if err != nil {
		return nil, err
	}
	params, err := callParams(r, body)
	if err != nil {
		return nil, err
	}
	x.principal = principal
	labels, err := callLabels(r)
	if err != nil {
		return nil, err
	}
	return &operation.Call{RequestID: x.requestID, Principal: principal, Labels: labels, Params: params, Body: body,
		Request: r,
		Keys:    s.conditionKeys(r, params)}, nil
}

// expiredSession is AWS's error for temporary credentials after their time.
func expiredSession(x *exchange) error {
	code, status := "ExpiredTokenException", http.StatusForbidden
	switch x.protocol {
	case wire.Query, wire.RestXML, wire.S3XML:
		code = "ExpiredToken"
	case wire.EC2Query:
		code, status = "RequestExpired", http.StatusBadRequest
	}
	return &wire.Error{Code: code, Status: status,
		Message: "The security token included in the request is expired: get new temporary credentials."}
}

// signatureError is AWS's error for a refused signature.
func signatureError(x *exchange, err error) error {
	var refused *sigv4.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch {
	case refused.Kind == sigv4.Incomplete:
		return wire.IncompleteSignature(x.protocol, refused.Message)
	case refused.Kind == sigv4.Expired && x.signature.Presigned:
		return wire.ExpiredURL(x.protocol, refused.Message)
	}
	return wire.BadSignature(x.protocol, refused.Message)
}
