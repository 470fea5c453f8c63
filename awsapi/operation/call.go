package operation

import (
	"net/http"
	"net/url"
	"slices"

	"tripod/awsapi/wire"
	"tripod/iam"
)

// Call is one signed and verified request for an operation.
type Call struct {
	// Operation is the operation's name, such as DescribeCluster.
	Operation string
	// RequestID is what the answer carries as x-amzn-RequestId.
	RequestID string
	// Principal made the call.
	Principal iam.Principal
	// Labels are the path's parts by name, decoded.
	Labels map[string]string
	// Params are the query's parameters, and in the query protocol those of the form in the body.
	Params url.Values
	// Body is the whole body.
	Body []byte
	// Request is the request itself, its body read.
	Request *http.Request
	// Input is the input of an operation with published schemas, once it is read; else nil.
	Input *wire.Input
	// Keys are the condition keys that the request brings: those of all requests, of its tags, and of its service.
	Keys iam.Keys
	// Notes are what the history tells of the call beside the call itself, for whoever looks there: not for the client.
	Notes []string
	// Passed are the roles that the request gives to services: its caller needs a permission for that too.
	Passed []PassedRole
}

// Note has the history tell something of the call, once.
func (c *Call) Note(text string) {
	if !slices.Contains(c.Notes, text) {
		c.Notes = append(c.Notes, text)
	}
}

// header is the request's; none where there is no request, as in tests.
func (c *Call) header() http.Header {
	if c.Request == nil {
		return nil
	}
	return c.Request.Header
}

// PassedRole is a role that a request gives to a service, such as eks.amazonaws.com, to act as.
type PassedRole struct{ ARN, Service string }
