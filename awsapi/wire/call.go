package wire

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"

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
	Input *Input
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

// PassedRole is a role that a request gives to a service, such as eks.amazonaws.com, to act as.
type PassedRole struct{ ARN, Service string }

// NewRequestID makes a request id as AWS has them: a version 4 UUID.
func NewRequestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// Authorize refuses the call where the principal's policies do not allow the action (such as eks:ListClusters) on the resource, or not
// iam:PassRole on a role that the request gives away. about are condition keys beside the request's: those of the resource.
func (c *Call) Authorize(p Protocol, action, resourceARN string, about ...iam.Keys) error {
	if err := c.allowed(p, action, resourceARN, c.Keys.With(about...)); err != nil {
		return err
	}
	for _, role := range c.Passed {
		if err := c.PassRole(p, role, resourceARN); err != nil {
			return err
		}
	}
	return nil
}

// PassRole refuses the call where the principal's policies do not allow it to give the role to the service, for the resource.
func (c *Call) PassRole(p Protocol, role PassedRole, resourceARN string) error {
	return c.allowed(p, "iam:PassRole", role.ARN, c.Keys.With(iam.Keys{"iam:passedtoservice": {role.Service}, "iam:associatedresourcearn": {resourceARN}}))
}

// AuthorizeUnnamed refuses a call of a service of which nobody here knows what it does to which resource, where the principal's policies deny what it may be,
// or do not allow all that it may be. action is empty where not even that is known; pass is the name of an action for just that.
func (c *Call) AuthorizeUnnamed(p Protocol, service, action, pass string) error {
	decision, reason := c.Principal.EvaluateUnnamed(service, action, pass, c.Keys)
	if decision == iam.Allowed {
		return nil
	}
	if action == "" {
		action = pass
	}
	action = service + ":" + action
	e := AccessDenied(p, c.Principal.ARN, action, "*", reason)
	e.Denial = &iam.Denial{Decision: decision, Principal: c.Principal, Action: action, Resource: "*", Keys: c.Keys}
	return e
}

func (c *Call) allowed(p Protocol, action, resourceARN string, keys iam.Keys) error {
	keys["aws:resourceaccount"] = []string{c.Principal.AccountID}
	if fields := strings.SplitN(resourceARN, ":", 6); len(fields) == 6 && fields[4] != "" {
		keys["aws:resourceaccount"] = fields[4:5]
	}
	decision, reason := c.Principal.Evaluate(action, resourceARN, keys)
	if decision == iam.Allowed {
		return nil
	}
	e := AccessDenied(p, c.Principal.ARN, action, resourceARN, reason)
	e.Denial = &iam.Denial{Decision: decision, Principal: c.Principal, Action: action, Resource: resourceARN, Keys: keys}
	return e
}
