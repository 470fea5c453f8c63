// Package fis is AWS Fault Injection Service: the restJson1 API of experiment templates and experiments, and what carries
// experiments out.
//
// Templates, experiments and the safety lever are records of the regional state. Keep drives experiments where that state is
// led, one transaction a step, so that another zone goes on where this one is lost (keep.go). What an action does is in the
// table of actions.go; what it has to remember until it is taken back stands in its experiment's record.
package fis

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tripod/awsapi/ec2"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// Name is the service's signing name, Principal that by which it assumes experiments' roles.
const (
	Name      = "fis"
	Principal = "fis.amazonaws.com"
)

// Shiftable is something whose traffic can be moved away from a zone: ID is what its shifts name it by, Type what ARC calls
// its kind (EKS, ASG, ALB, NLB), AutoshiftStatus whether AWS may do so by itself (ENABLED, DISABLED).
type Shiftable struct{ ARN, ID, Type, AutoshiftStatus string }

// Pod is a pod of a cluster.
type Pod struct{ ClusterID, Namespace, Name, UID, Zone string }

// Pods finds and deletes pods of clusters, and makes faults of theirs.
type Pods interface {
	// Find finds a cluster's pods that run: those that a selector of labels fits (such as app=web, or empty for all), with
	// kind deploymentName or podName those of that deployment or name.
	Find(ctx context.Context, clusterID, namespace, kind, value string) ([]Pod, error)
	// Delete deletes one by the rights of a service account of its namespace, after a grace period in seconds; nil: its own. One that
	// is gone is no error; ErrNotAllowed: the service account may not.
	Delete(ctx context.Context, pod Pod, serviceAccount string, grace *int) error
	// Break puts a fault, in the words of api.RecordFaults, in force of one for a time, where a service account of its namespace has the
	// rights that FIS's own pod needs; ErrNotAllowed: it has not. It may be called again.
	Break(ctx context.Context, pod Pod, serviceAccount, words string, lasts time.Duration) error
}

// ErrNotAllowed is why a pod cannot be deleted, or broken, by a service account.
var ErrNotAllowed = errors.New("the service account may not do that")

// Service answers FIS's calls from a zone's copy of the regional state.
type Service struct {
	Region, AccountID string
	State             state.Updater
	// Network is EC2.
	Network *ec2.Service
	// Shiftable is all whose traffic can be moved away from a zone.
	Shiftable func(*state.Txn) []Shiftable
	// Alarm is the state of the alarm with that ARN, such as ALARM; false: there is none.
	Alarm func(*state.Txn, string) (string, bool)
	// Pods are the clusters'; nil where nothing drives experiments.
	Pods Pods
	// Tell tells of an experiment, or of a fault of one; nil: nobody listens.
	Tell func(experiment, sentence string, over bool)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC().Truncate(time.Millisecond)
	}
	return s.Now().UTC().Truncate(time.Millisecond)
}

// arn is that of a resource: experiment/EXP..., experiment-template/EXT..., action/ID, safety-lever/default.
func (s *Service) arn(resource string) string {
	return "arn:aws:fis:" + s.Region + ":" + s.AccountID + ":" + resource
}

// newID is an id that nothing has yet: EXP and EXT are the prefixes.
func newID(prefix string) string {
	const letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz123456789"
	b := make([]byte, 15)
	_, _ = rand.Read(b) // it never fails
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return prefix + string(b)
}

// as is a value of one of the SDK's types as one of another type with the same members: FIS has many of these.
func as[T any](from any) (to T) {
	text, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(text, &to)
	}
	if err != nil { // a programming error: the types differ
		panic(fmt.Sprintf("fis: make %T of %T: %v", to, from, err))
	}
	return to
}

// record is one of experiments and templates, beside what the SDK's type has of it.
type record struct {
	// Token is the ClientToken of the call that made it, and Asked the call's input: another one with the token is a conflict.
	Token string `json:"token,omitempty"`
	Asked string `json:"asked,omitempty"`
}

// repeated says whether a call with its token has been made already.
func (r record) repeated(token *string, in any) (bool, error) {
	if token == nil || r.Token != *token {
		return false, nil
	}
	if text, _ := json.Marshal(in); string(text) != r.Asked {
		return true, conflict("The client token %s was used by another request with other parameters.", *token)
	}
	return true, nil
}

func recordOf(token *string, in any) record {
	text, _ := json.Marshal(in)
	return record{Token: *token, Asked: string(text)}
}

// The modelled exceptions. The message is a format for one sentence that the client sees.

func invalid(format string, args ...any) *wire.Error {
	return &wire.Error{Code: "ValidationException", Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) *wire.Error {
	return &wire.Error{Code: "ResourceNotFoundException", Status: http.StatusNotFound, Message: fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) *wire.Error {
	return &wire.Error{Code: "ConflictException", Status: http.StatusConflict, Message: fmt.Sprintf(format, args...)}
}

func tooMany(format string, args ...any) *wire.Error {
	return &wire.Error{Code: "ServiceQuotaExceededException", Status: http.StatusPaymentRequired, Message: fmt.Sprintf(format, args...)}
}

// permit asks whether the caller may do the operation to a resource.
func permit(call *operation.Call, arn string, tags map[string]string) error {
	return call.Authorize(wire.RestJSON, Name+":"+call.Operation, arn, tagsOf(tags))
}

// page is a page of a list.
func page[T any](list string, size *int32, token *string, items []T, key func(T) string) ([]T, *string, error) {
	n := 100
	if size != nil && *size > 0 {
		n = int(*size)
	}
	part, next, ok := wire.Page(list, n, token, items, key)
	if !ok {
		return nil, nil, invalid("The nextToken is not valid.")
	}
	return part, next, nil
}

// activeRole is a role by its ARN.
func activeRole(tx *state.Txn, arn string) (region.Role, bool) {
	for _, role := range region.Roles.List(tx) {
		if role.ARN == arn {
			return role, true
		}
	}
	return region.Role{}, false
}
