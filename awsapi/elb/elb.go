// Package elb is Elastic Load Balancing, both of its APIs: the one of 2015, of application and network load balancers,
// and the classic one of 2012, whose part is in the files classic*.go.
//
// Operations write what load balancers are to be (region.LoadBalancer and its like) and answer what the data plane finds
// of their targets. They carry no traffic themselves.
package elb

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tripod/awsapi/ec2"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// Name is the signing name of both APIs: the version tells them apart.
const Name = "elasticloadbalancing"

// The names of all operations of the two APIs.
var (
	//go:embed operations.txt
	operationNames string
	//go:embed classic_operations.txt
	classicNames string
)

// Service answers the calls of both APIs from a zone's copy of the regional state.
type Service struct {
	State state.Updater
	// Network is EC2, which knows subnets, security groups and addresses.
	Network *ec2.Service
	// Carried says that somebody carries the load balancers' traffic: new ones are provisioning until that calls
	// region.MoveBalancer. Where nobody does they are active at once.
	Carried bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Listing is both APIs as package awsapi lists them. The documentation has the newer API and then the classic one.
func (s *Service) Listing() operation.Service {
	v2, classic := s.API(), s.Classic()
	return operation.Service{
		Title: "Elastic Load Balancing", Name: Name, Protocol: wire.Query, APIs: []operation.API{v2, classic},
		Documented: append(documented(v2.Names()), documentedClassic(classic.Names())...),
		BodyLimit:  64 << 10,
	}
}

// API is that of application, network and gateway load balancers.
func (s *Service) API() *operation.QueryAPI {
	return &operation.QueryAPI{
		Protocol: wire.Query, Name: Name, Version: "2015-12-01",
		Namespace:  "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
		Operations: strings.Fields(operationNames), Actions: s.actions(), Model: &model, Permit: s.permit,
	}
}

// Classic is the API of classic load balancers.
func (s *Service) Classic() *operation.QueryAPI {
	return &operation.QueryAPI{
		Protocol: wire.Query, Name: Name, Version: "2012-06-01",
		Namespace:  "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/",
		Operations: strings.Fields(classicNames), Actions: s.classicActions(), Model: &classicModel, Permit: s.permitClassic,
	}
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC()
	}
	return s.Now().UTC()
}

// none is an answer without members.
type none struct{}

// does makes an action of a method. Calls are authorized before: see permit.
func does[In, Out any](run func(*operation.Call, *In) (*Out, error)) operation.Action {
	return func(call *operation.Call) (any, error) {
		in := new(In)
		if err := wire.DecodeQuery(call.Params, in); err != nil {
			return nil, err
		}
		out, err := run(call, in)
		if err != nil {
			return nil, err // not out: a nil pointer in an interface is not nil
		}
		return out, nil
	}
}

// change runs a transaction whose refusals reach the client, and answers out, which fn fills.
func change[Out any](s *Service, call *operation.Call, fn func(tx *state.Txn, out *Out) error) (*Out, error) {
	var out *Out
	err := s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		out = new(Out) // fn may run several times
		return fn(tx, out)
	})
	return out, wrap(call, err)
}

// view is change for what changes nothing.
func view[Out any](s *Service, call *operation.Call, fn func(tx *state.Txn, out *Out) error) (*Out, error) {
	out := new(Out)
	err := s.State.View(func(tx *state.Txn) error { return fn(tx, out) })
	return out, wrap(call, err)
}

// wrap says which call an unexpected error met; refusals stay as they are.
func wrap(call *operation.Call, err error) error {
	var refusal *wire.Error
	if err == nil || errors.As(err, &refusal) {
		return err
	}
	return fmt.Errorf("elasticloadbalancing %s: %w", call.Operation, err)
}

func refuse(code, format string, args ...any) error {
	return &wire.Error{Code: code, Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error { return refuse("ValidationError", format, args...) }

// unsuitable refuses what is valid by itself and does not go together.
func unsuitable(format string, args ...any) error {
	return refuse("InvalidConfigurationRequest", format, args...)
}

// arn is that of a resource.
func (s *Service) arn(resource string) string {
	return "arn:aws:elasticloadbalancing:" + s.Network.VPC.Region + ":" + s.Network.VPC.AccountID + ":" + resource
}

// newID makes the last part of an ARN: 16 hex digits.
func newID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// stamp is a time as the API writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// The sentences about what is not there.

func noBalancer(arn string) error {
	return refuse("LoadBalancerNotFound", "Load balancer '%s' not found", wire.Clip(arn))
}

func noListener(arn string) error {
	return refuse("ListenerNotFound", "Listener '%s' not found", wire.Clip(arn))
}

func noTargetGroup(arn string) error {
	return refuse("TargetGroupNotFound", "Target group '%s' not found", wire.Clip(arn))
}

func noRule(arn string) error { return refuse("RuleNotFound", "Rule '%s' not found", wire.Clip(arn)) }

// balancer is the load balancer with that ARN, or AWS's refusal.
func balancer(tx *state.Txn, arn string) (region.LoadBalancer, error) {
	b, found := region.FindBalancer(tx, arn)
	if !found || b.Type == region.ClassicBalancer {
		return b, noBalancer(arn)
	}
	return b, nil
}

// listener is the listener with that ARN, with its load balancer.
func listener(tx *state.Txn, arn string) (region.Listener, region.LoadBalancer, error) {
	var l region.Listener
	var b region.LoadBalancer
	if key := region.ListenerKey(arn); strings.Contains(arn, ":listener/") && key != "" {
		l, _ = region.Listeners.Get(tx, key)
	}
	if l.ARN != arn || arn == "" {
		return l, b, noListener(arn)
	}
	b, err := balancer(tx, l.LoadBalancer)
	return l, b, err
}

// rule is the rule with that ARN, with its listener. The rule of a listener's own actions has the priority 0.
func rule(tx *state.Txn, arn string) (region.ListenerRule, region.Listener, error) {
	var r region.ListenerRule
	key := region.ListenerKey(arn)
	at := strings.LastIndexByte(key, '/')
	if at < 0 || !strings.Contains(arn, ":listener-rule/") {
		return r, region.Listener{}, noRule(arn)
	}
	l, found := region.Listeners.Get(tx, key[:at])
	if found && l.DefaultRuleARN() == arn {
		return defaultRule(l), l, nil
	}
	r, found = region.ListenerRules.Get(tx, key)
	if !found || r.ARN != arn {
		return r, l, noRule(arn)
	}
	return r, l, nil
}

// defaultRule is a listener's own actions as a rule.
func defaultRule(l region.Listener) region.ListenerRule {
	return region.ListenerRule{ARN: l.DefaultRuleARN(), Listener: l.ARN, Actions: l.Actions}
}

// targetGroup is the target group with that ARN.
func targetGroup(tx *state.Txn, arn string) (region.TargetGroup, error) {
	g, _ := region.TargetGroups.Get(tx, orNobody(region.TargetGroupName(arn)))
	if g.ARN != arn || arn == "" {
		return g, noTargetGroup(arn)
	}
	return g, nil
}

// orNobody is a key that no record has, instead of none.
func orNobody(key string) string {
	if key == "" {
		return "-"
	}
	return key
}
