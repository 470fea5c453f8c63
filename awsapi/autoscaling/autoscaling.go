// Package autoscaling is Amazon EC2 Auto Scaling (API version 2011-01-01): groups that launch and terminate instances.
//
// Operations write what a group is to be (region.AutoScalingGroup); Keep makes it so, group by group, by Step, which
// reads and writes one transaction alone. See DESIGN.md.
package autoscaling

import (
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tripod/awsapi/ec2"
	"tripod/awsapi/events"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// Name is the service's signing name.
const Name = "autoscaling"

//go:embed operations.txt
var operationNames string // of all of the API's operations

// Service answers Auto Scaling's calls from a zone's copy of the regional state, and keeps the groups.
type Service struct {
	State state.Updater
	// Network is EC2, which knows subnets, launch templates and instance types.
	Network *ec2.Service
	// Instances launches and terminates; nil: Network does.
	Instances Instances
	// Metrics are what target tracking goes by; nil: nobody measures, and such policies are recorded only.
	Metrics Metrics
	// Events is told what EventBridge is told of groups, in the transaction that makes it true; nil: nobody listens.
	Events func(tx *state.Txn, e events.Event)
	// Pace is how long things take at least.
	Pace Pace
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	kept map[string]kept // by the group's name; Keep's alone
}

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	api := s.API()
	return operation.Service{Title: "Auto Scaling", Name: Name, Protocol: wire.Query, APIs: []operation.API{api},
		Documented: documented(api.Names())}
}

// API is the service as it is called.
func (s *Service) API() *operation.QueryAPI {
	return &operation.QueryAPI{
		Protocol: wire.Query, Name: Name, Version: "2011-01-01",
		Namespace:  "http://autoscaling.amazonaws.com/doc/2011-01-01/",
		Operations: strings.Fields(operationNames), Actions: s.actions(), Model: &model,
	}
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
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
	return fmt.Errorf("autoscaling %s: %w", call.Operation, err)
}

func refuse(code, format string, args ...any) error {
	return &wire.Error{Code: code, Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error { return refuse("ValidationError", format, args...) }

// group is the group with that name, or AWS's refusal.
func (s *Service) group(tx *state.Txn, name string) (region.AutoScalingGroup, error) {
	g, found := region.AutoScalingGroups.Get(tx, name)
	if found {
		return g, nil
	}
	if s.isSimulated(tx, name) {
		return g, invalid("The group %s is that of nodes which `tripod up` started for a cluster: it cannot be changed.", name)
	}
	return g, noGroup(name)
}

func noGroup(name string) error {
	return invalid("AutoScalingGroup name not found - AutoScalingGroup '%s' not found", wire.Clip(name))
}

// liveGroup is group, but one that is being deleted is refused.
func (s *Service) liveGroup(tx *state.Txn, name string) (region.AutoScalingGroup, error) {
	g, err := s.group(tx, name)
	if err == nil && g.DeletedAt != nil {
		err = refuse("ScalingActivityInProgress", "AutoScalingGroup '%s' is pending delete", name)
	}
	return g, err
}

// stamp is a time as Auto Scaling writes it; empty where there is none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// none is the answer of operations that have none.
type none struct{}
