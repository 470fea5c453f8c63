package awsapi

import (
	"net/http"

	"tripod/awsapi/autoscaling"
	"tripod/awsapi/ec2"
	"tripod/awsapi/elb"
	"tripod/awsapi/iamapi"
	"tripod/awsapi/kms"
	"tripod/awsapi/logs"
	"tripod/awsapi/sts"
	"tripod/awsapi/wire"
	"tripod/iam"
)

// api is a service that is called at "/": the query protocols by Action, JSON protocols by X-Amz-Target.
type api interface {
	// Operation is the action's name if the API has it, and empty otherwise: fit for a metric's label.
	Operation(action string) string
	// Serve answers one call. Where it returns an error it has written nothing.
	Serve(w http.ResponseWriter, call *wire.Call) error
}

// service is a service at "/" and how its calls are known.
type service struct {
	name      string // the signing name
	version   string // the API's, where services share a signing name; else empty
	namespace string // of its XML, for errors; empty where there is none
	protocol  wire.Protocol
	api       api
}

// allServices are the services beside EKS.
func (s *server) allServices() []service {
	all := []service{
		{sts.Name, "", sts.Namespace, wire.Query, (&sts.Service{State: s.State, Now: s.Now, Issuers: iam.Issuers{Hosts: s.IssuerHosts}}).API()},
		{iamapi.Name, "", iamapi.Namespace, wire.Query, (&iamapi.Service{State: s.State, AccountID: s.AccountID, Quotas: s.Quotas,
			Now: s.Now}).API()},
		{ec2.Name, "", ec2.Namespace, wire.EC2Query, s.network().API()},
		{kms.Name, "", "", wire.AWSJSON, s.kms.API()},
		queryService(elb.V2()), queryService(elb.Classic()), queryService((&autoscaling.Service{State: s.State, Network: s.network()}).API()),
	}
	if s.LogEvents != nil {
		cloudWatch := &logs.Service{Region: s.Region, AccountID: s.AccountID, State: s.State, Events: s.LogEvents, Now: s.Now}
		all = append(all, service{logs.Name, "", "", wire.AWSJSON, cloudWatch.API()})
	}
	return all
}

// queryService is a service that says by itself how its calls are known.
func queryService(api *wire.QueryAPI) service {
	return service{api.Name, api.Version, api.Namespace, wire.Query, api}
}

// serviceOf is the service with that signing name, and that API version where several share the name: with an unknown
// version the first of them.
func (s *server) serviceOf(name, version string) (service, bool) {
	var first service
	for _, one := range s.services {
		switch {
		case one.name != name:
		case one.version == "" || one.version == version:
			return one, true
		case first.name == "":
			first = one
		}
	}
	return first, first.name != ""
}

// serviceCall answers a verified call of one of the services at "/", or passes it on where the service has no such operation.
func (s *server) serviceCall(w http.ResponseWriter, r *http.Request, call *wire.Call) error {
	x := exchangeOf(r)
	one, _ := s.serviceOf(x.service(), call.Params.Get("Version"))
	action := actionOf(r, call)
	x.claimed = action
	call.Operation = one.api.Operation(action)
	x.operation = call.Operation
	if err := s.throttled(x); err != nil {
		return err
	}
	x.call = call
	err := one.api.Serve(w, call)
	if err != nil && isUnknown(err) {
		return s.passOn(w, r, call, action, err)
	}
	return err
}

// unsignedCall answers an action that AWS takes without a signature: its caller proves itself otherwise.
func (s *server) unsignedCall(w http.ResponseWriter, r *http.Request, body []byte) (answered bool, err error) {
	x := exchangeOf(r)
	if x.protocol != wire.Query || r.URL.Path != "/" {
		return false, nil
	}
	params, err := callParams(r, body)
	if err != nil {
		return false, err
	}
	action := params.Get("Action")
	one, ok := s.serviceOf(sts.Name, "")
	if !ok || sts.NeedsSignature(action) {
		return false, nil
	}
	x.size = len(body)
	x.name, x.claimed, x.operation = sts.Name, action, one.api.Operation(action)
	x.call = &wire.Call{Operation: x.operation, RequestID: x.requestID, Params: params, Body: body, Request: r, Keys: s.keysOf(r, params)}
	if err := s.throttled(x); err != nil {
		return false, err
	}
	err = one.api.Serve(w, x.call)
	if err == nil {
		isKnown(r.Context()) // by the token that the call brought
	}
	if err != nil && isUnknown(err) {
		x.call = nil
	}
	return true, err
}
