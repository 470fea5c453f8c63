package ec2

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

const (
	// Name is the service's signing name.
	Name = "ec2"
	// Version is the API's version, which every request names.
	Version = "2016-11-15"
	// Namespace is the XML namespace of the answers.
	Namespace = wire.EC2Namespace
)

// Service answers EC2 calls from a zone's copy of the regional state.
type Service struct {
	// VPC is the default network; its account and region are the service's too.
	VPC VPC
	// State has what calls made.
	State state.Updater
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Clusters says which network each cluster has; nil means that all of the region's are in the default VPC's private
	// subnets.
	Clusters func(tx *state.Txn) []ClusterNetwork
	// Events is told what EventBridge is told of instances, in the transaction that makes it true; nil: nobody listens.
	Events func(tx *state.Txn, e Event)
	// StatusChecks is how long the checks of an instance's status take from when it runs; 0: they pass at once.
	StatusChecks time.Duration
}

// done is the answer of actions that have none of their own.
type done struct {
	Return bool `xml:"return"`
}

// change runs a transaction whose refusals reach the client, and answers out.
func change[Out any](s *Service, call *operation.Call, out *Out, fn func(tx *state.Txn) error) (*Out, error) {
	if err := s.State.Update(call.Request.Context(), fn); err != nil {
		return nil, wrap(call, err)
	}
	return out, nil
}

// wrap says which call an unexpected error met; refusals stay as they are.
func wrap(call *operation.Call, err error) error {
	var refusal *wire.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return &callError{call.Operation, err}
}

type callError struct {
	operation string
	err       error
}

func (e *callError) Error() string { return "ec2 " + e.operation + ": " + e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// refuse is EC2's error with that code; the sentence is a format.
func refuse(code, format string, args ...any) *wire.Error {
	return &wire.Error{Code: code, Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// depended is EC2's refusal to delete what others need. Who they are EC2 does not say: the history does.
func depended(call *operation.Call, noun, id string, users ...string) *wire.Error {
	if len(users) > 0 {
		call.Note(id + " is needed by " + strings.Join(users, ", "))
	}
	return refuse("DependencyViolation", "The %s '%s' has dependencies and cannot be deleted.", noun, id)
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// timestamp is a time as EC2 writes it.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// arn is a resource's ARN. A snapshot's is of no account, since others may have it too.
func (s *Service) arn(kind, id string) string {
	if kind == "snapshot" {
		return "arn:aws:ec2:" + s.VPC.Region + "::" + kind + "/" + id
	}
	return "arn:aws:ec2:" + s.VPC.Region + ":" + s.VPC.AccountID + ":" + kind + "/" + id
}
