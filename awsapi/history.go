package awsapi

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"tripod/awsapi/history"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

const (
	// maxAnswer is how much of an answer is looked at for the history, and maxRecorded how much of a request's body, in
	// bytes.
	maxAnswer   = 32 << 10
	maxRecorded = 64 << 10
)

// What a client claims to call or to be stands in the history only where it looks like the thing that it should be.
var (
	serviceName   = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	operationName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,127}$`)
	accessKeyName = regexp.MustCompile(`^A[A-Z]IA[A-Z0-9]{16}$`)
)

// historyOf is the history's record of a finished exchange.
func (s *server) historyOf(x *exchange, r *http.Request) history.Record {
	record := history.Record{
		UserIdentity: identityOf(x), EventSource: "unknown", EventName: "Unknown", AWSRegion: s.Region,
		SourceIPAddress: s.sourceOf(r),
		UserAgent:       r.UserAgent(), ErrorCode: x.code, ErrorMessage: x.message, RequestID: x.requestID,
		EventID:            wire.NewRequestID(),
		RecipientAccountID: s.AccountID,
		Additional: history.Additional{Zone: s.Zone, Status: x.status,
			Milliseconds: s.Now().Sub(x.started).Milliseconds(),
			BytesIn:      x.size, Upstream: x.passedOn},
	}
	record.SetTime(x.started)
	if service := x.principal.Service; service != "" { // as CloudTrail shows the calls that a service makes
		record.UserIdentity.InvokedBy, record.SourceIPAddress, record.UserAgent = service, service, service
	}
	if name := x.signingName(); serviceName.MatchString(name) {
		record.EventSource = name + ".amazonaws.com"
	}
	for _, name := range []string{x.claimed, x.operation} {
		if operationName.MatchString(name) {
			record.EventName = name
		}
	}
	if record.ReadOnly = history.ReadOnly(record.EventName); record.EventName == "Unknown" {
		record.ReadOnly = r.Method == http.MethodGet || r.Method == http.MethodHead
	}
	if x.call != nil {
		record.RequestParameters, record.Additional.Notes = paramsOf(x.signingName(), x.call), x.call.Notes
	}
	record.Additional.Faults = x.metFaults()
	if len(x.answer) > 0 && x.code == "" {
		if len(x.answer) > maxAnswer {
			record.ResponseElements = history.Redact(map[string]any{"omitted": []any{"responseElements"}})
		} else {
			record.ResponseElements = history.Answer(x.signingName(), record.EventName, x.Header().Get("Content-Type"), x.answer)
		}
	}
	if r.TLS != nil {
		record.TLS = &history.TLS{Version: strings.ReplaceAll(tls.VersionName(r.TLS.Version), "TLS ", "TLSv"),
			Cipher: tls.CipherSuiteName(r.TLS.CipherSuite), Host: clip(r.Host)}
	}
	return record
}

// sourceOf is the address that the call came from, as far as it can be told.
func (s *server) sourceOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		if address, err := netip.ParseAddr(host); err == nil {
			return address.String()
		}
	}
	if s.ClientAddress != "" {
		return s.ClientAddress
	}
	return "127.0.0.1"
}

// identityOf is who made the call, in CloudTrail's words. An ARN says which kind of principal it names.
func identityOf(x *exchange) history.Identity {
	p := x.principal
	if p.ARN == "" {
		return claimedIdentity(x)
	}
	id := history.Identity{Type: "Unknown", PrincipalID: p.UserID, ARN: p.ARN, AccountID: p.AccountID,
		AccessKeyID: p.AccessKeyID}
	resource := p.ARN
	if fields := strings.SplitN(p.ARN, ":", 6); len(fields) == 6 {
		resource = fields[5]
	}
	kind, rest, _ := strings.Cut(resource, "/")
	switch kind {
	case "user":
		id.Type, id.UserName = "IAMUser", rest[strings.LastIndexByte(rest, '/')+1:]
	case "root":
		id.Type = "Root"
	case "assumed-role":
		role, _, _ := strings.Cut(rest, "/")
		id.Type = "AssumedRole"
		id.SessionContext = &history.SessionContext{SessionIssuer: history.SessionIssuer{Type: "Role",
			AccountID: p.AccountID, UserName: role}}
	case "federated-user":
		id.Type = "FederatedUser"
	}
	return id
}

// claimedIdentity is what is known of a caller whose signature was not verified.
func claimedIdentity(x *exchange) history.Identity {
	id := history.Identity{Type: "Unknown"}
	switch {
	case x.signature != nil && accessKeyName.MatchString(x.signature.AccessKeyID):
		id.AccessKeyID = x.signature.AccessKeyID
	case x.operation == "AssumeRoleWithWebIdentity":
		id.Type = "WebIdentityUser"
	case x.operation == "AssumeRoleWithSAML":
		id.Type = "SAMLUser"
	}
	return id
}

// paramsOf are a verified call's parameters: of the path, the query or form, and the JSON body.
func paramsOf(service string, call *operation.Call) json.RawMessage {
	params := map[string]any{}
	switch {
	case len(call.Body) > maxRecorded:
		params["omitted"] = []any{"body"}
	case len(call.Body) > 0 && !wire.IsForm(call.Request):
		json.Unmarshal(call.Body, &params) // what is no object has no parameters
		if params == nil {
			params = map[string]any{}
		}
	}
	for name, values := range call.Params {
		switch lower := strings.ToLower(name); {
		case strings.HasPrefix(lower, "x-amz-"), name == "Action", name == "Version":
		case len(values) == 1:
			params[name] = values[0]
		default:
			list := make([]any, len(values))
			for i, value := range values {
				list[i] = value
			}
			params[name] = list
		}
	}
	for name, value := range call.Labels {
		params[name] = value
	}
	history.HideMembers(service, call.Operation, params)
	return history.Redact(params)
}
