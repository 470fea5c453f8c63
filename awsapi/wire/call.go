package wire

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/url"

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
}

// NewRequestID makes a request id as AWS has them: a version 4 UUID.
func NewRequestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// Authorize refuses the call where the principal's policies do not allow the action (such as eks:ListClusters) on the resource.
func (c *Call) Authorize(p Protocol, action, resourceARN string) error {
	decision, reason := c.Principal.Evaluate(action, resourceARN, nil)
	if decision == iam.Allowed {
		return nil
	}
	return AccessDenied(p, c.Principal.ARN, action, resourceARN, reason)
}
