package awsapi

import (
	"cmp"
	"net/http"

	"tripod/awsapi/operation"
	"tripod/awsapi/throttle"
	"tripod/awsapi/wire"
)

// handlerFunc answers a request, or returns the error that the client gets: a *wire.Error, or another that it does not
// see.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

// handler writes the error of a handlerFunc in the request's protocol.
func (s *server) handler(serve handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := serve(w, r); err != nil {
			s.fail(exchangeOf(r), r, err)
		}
	})
}

// signed authenticates the request before serve sees it.
func (s *server) signed(serve func(http.ResponseWriter, *http.Request, *operation.Call) error) http.Handler {
	return s.handler(func(w http.ResponseWriter, r *http.Request) error {
		call, err := s.authenticate(w, r)
		if err != nil {
			return err
		}
		return serve(w, r, call)
	})
}

// operation is the handler of a path of one of the services: of the operation with that name, or with an empty name of
// those whose requests name it in a header or parameter. It authenticates the call, finds the operation and has the
// service's API decode, authorize, do and encode it; what Tripod does not have is passed on.
func (s *server) operation(named string) http.Handler {
	verified := s.signed(func(w http.ResponseWriter, r *http.Request, call *operation.Call) error {
		x := exchangeOf(r)
		api := x.service.API(call.Params.Get("Version"))
		name := named
		if name == "" {
			name = actionOf(r, call)
			x.claimed = name
		}
		call.Operation = api.Operation(name)
		x.operation, x.call = call.Operation, call
		if err := s.throttled(x); err != nil {
			return err
		}
		if err := s.faulted(x, r, cmp.Or(x.operation, name)); err != nil {
			return err
		}
		err := api.Serve(w, call)
		if named == "" && isUnknown(err) {
			return s.passOn(w, r, call, name, err)
		}
		return err
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchangeOf(r).operation = named // also of a call that is refused before it is understood
		verified.ServeHTTP(w, r)
	})
}

// throttled refuses the call of an operation that was called too often.
func (s *server) throttled(x *exchange) error {
	if s.buckets == nil || x.operation == "" || s.buckets.Allow(s.AccountID, x.service.Name, x.operation) {
		return nil
	}
	return x.service.Throttled(x.protocol, throttle.Message)
}

// otherService answers a call that is well signed for a service that is not here.
func (s *server) otherService(w http.ResponseWriter, r *http.Request, call *operation.Call) error {
	x := exchangeOf(r)
	action := actionOf(r, call)
	x.claimed = action
	if err := s.faulted(x, r, action); err != nil {
		return err
	}
	return s.passOn(w, r, call, action, wire.Unsupported(x.protocol, clip(x.signature.Service), clip(action)))
}
