package history

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// FileName is the history's file in a zone's directory; older ones have .1 and .2 after it.
	FileName = "history.jsonl"

	// maxText bounds an error's message and a user agent, in bytes.
	maxText = 1024
	// timeFormat has milliseconds, which CloudTrail's has not: so the zones' files can be merged in order.
	timeFormat = "2006-01-02T15:04:05.000Z"
	// versionOfEvents is CloudTrail's record format that these records follow.
	versionOfEvents = "1.11"
)

// Record is one call, shaped as CloudTrail's record contents ("CloudTrail record contents" in its user guide).
type Record struct {
	EventVersion       string          `json:"eventVersion"`
	UserIdentity       Identity        `json:"userIdentity"`
	EventTime          string          `json:"eventTime"`
	EventSource        string          `json:"eventSource"` // SERVICE.amazonaws.com
	EventName          string          `json:"eventName"`
	AWSRegion          string          `json:"awsRegion"`
	SourceIPAddress    string          `json:"sourceIPAddress"`
	UserAgent          string          `json:"userAgent,omitempty"`
	ErrorCode          string          `json:"errorCode,omitempty"`
	ErrorMessage       string          `json:"errorMessage,omitempty"`
	RequestParameters  json.RawMessage `json:"requestParameters"` // null when there are none
	ResponseElements   json.RawMessage `json:"responseElements"`  // null for reads
	Additional         Additional      `json:"additionalEventData"`
	RequestID          string          `json:"requestID"`
	EventID            string          `json:"eventID"`
	ReadOnly           bool            `json:"readOnly"`
	EventType          string          `json:"eventType"`
	ManagementEvent    bool            `json:"managementEvent"`
	RecipientAccountID string          `json:"recipientAccountId"`
	EventCategory      string          `json:"eventCategory"`
	TLS                *TLS            `json:"tlsDetails,omitempty"`
}

// Identity is who made the call.
type Identity struct {
	Type           string          `json:"type"`
	PrincipalID    string          `json:"principalId,omitempty"`
	ARN            string          `json:"arn,omitempty"`
	AccountID      string          `json:"accountId,omitempty"`
	AccessKeyID    string          `json:"accessKeyId,omitempty"`
	UserName       string          `json:"userName,omitempty"`
	SessionContext *SessionContext `json:"sessionContext,omitempty"`
	InvokedBy      string          `json:"invokedBy,omitempty"` // the AWS service that made it
}

// SessionContext says whose session made the call.
type SessionContext struct {
	SessionIssuer SessionIssuer `json:"sessionIssuer"`
}

// SessionIssuer is the role of a session.
type SessionIssuer struct {
	Type      string `json:"type"`
	AccountID string `json:"accountId,omitempty"`
	UserName  string `json:"userName,omitempty"`
}

// Additional is what Tripod tells beyond CloudTrail.
type Additional struct {
	// Zone answered the call.
	Zone string `json:"zone,omitempty"`
	// Status is the HTTP status of the answer and Milliseconds how long it took.
	Status       int   `json:"httpStatus,omitempty"`
	Milliseconds int64 `json:"durationMilliseconds"`
	// BytesIn is the length of the request's body.
	BytesIn int `json:"bytesTransferredIn,omitempty"`
	// Upstream says that another emulator answered.
	Upstream bool `json:"upstream,omitempty"`
	// Notes are what Tripod did otherwise than AWS: what it took though the call names what is not there.
	Notes []string `json:"notes,omitempty"`
	// Faults are those that somebody had put in force and that the call has met.
	Faults []string `json:"faults,omitempty"`
	// Lost is the number of records that a notice of lost records stands for.
	Lost uint64 `json:"recordsLost,omitempty"`
}

// TLS is how the call came, where it came by HTTPS.
type TLS struct {
	Version string `json:"tlsVersion"`
	Cipher  string `json:"cipherSuite"`
	Host    string `json:"clientProvidedHostHeader"`
}

// Time is the record's time; the zero time when the record has none that can be read.
func (r *Record) Time() time.Time {
	t, _ := time.Parse(time.RFC3339Nano, r.EventTime)
	return t
}

// Service is the service's signing name.
func (r *Record) Service() string { return strings.TrimSuffix(r.EventSource, ".amazonaws.com") }

// SetTime writes the time down as the file has it.
func (r *Record) SetTime(t time.Time) { r.EventTime = t.UTC().Format(timeFormat) }

// line is the record as it stands in the file: one line, without secrets, fit for a terminal.
func (r Record) line() ([]byte, error) {
	r.EventVersion, r.ManagementEvent, r.EventCategory = versionOfEvents, true, "Management"
	if r.EventType == "" {
		r.EventType = "AwsApiCall"
	}
	r.ErrorMessage = Hide(bounded(r.ErrorMessage, maxText))
	r.UserAgent = Hide(bounded(r.UserAgent, maxText))
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return append(Escape(text), '\n'), nil
}

// bounded cuts text to at most so many bytes, between characters.
func bounded(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit] + "..."
}

// ReadOnly says whether an operation, by its name, changes nothing.
func ReadOnly(operation string) bool {
	for _, prefix := range []string{
		"Describe", "List", "Get", "Lookup", "Search", "Filter", "BatchGet", "Head", "Simulate", "Decode", "Query", "Scan",
		"Select", "Test",
		"AssumeRole", // as in CloudTrail, though IAM's reference calls it a write
	} {
		if rest, ok := strings.CutPrefix(operation, prefix); ok && (rest == "" || rest[0] < 'a' || rest[0] > 'z') {
			return true
		}
	}
	return false
}

// ShowsAnswer says whether an operation's answer is recorded: those that change something, and those that give out
// credentials.
func ShowsAnswer(operation string) bool {
	return !ReadOnly(operation) || strings.HasPrefix(operation, "AssumeRole") || operation == "GetSessionToken" ||
		operation == "GetFederationToken"
}
