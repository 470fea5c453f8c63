package awsapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"tripod/awsapi/eks"
	"tripod/awsapi/sts"
	"tripod/awsapi/wire"
)

// signedFor matches requests whose credential is scoped to the service with that signing name; with "", those that are not
// signed, or not so that it can be understood.
func signedFor(service string) mux.MatcherFunc {
	return func(r *http.Request, _ *mux.RouteMatch) bool {
		x := exchangeOf(r)
		if x.signature == nil {
			return service == ""
		}
		return service != "" && x.signature.Service == service
	}
}

// handlerFunc answers a request, or returns the error that the client gets: a *wire.Error, or another that it does not see.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

// handler writes the error of a handlerFunc in the request's protocol.
func (s *server) handler(serve handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := serve(w, r); err != nil {
			s.fail(exchangeOf(r), r, err)
		}
	})
}

// signed verifies the request before serve sees it.
func (s *server) signed(serve func(http.ResponseWriter, *http.Request, *wire.Call) error) http.Handler {
	return s.handler(func(w http.ResponseWriter, r *http.Request) error {
		call, err := s.authenticate(w, r)
		if err != nil {
			return err
		}
		return serve(w, r, call)
	})
}

// restOperation is the handler of a restJson1 operation. action is nil for those that Tripod does not have.
func (s *server) restOperation(operation string, action eks.Action) http.Handler {
	verified := s.signed(func(w http.ResponseWriter, r *http.Request, call *wire.Call) error {
		if action == nil {
			return wire.Unsupported(wire.RestJSON, eks.Name, operation)
		}
		call.Operation = operation
		call.Labels = make(map[string]string)
		for name, value := range mux.Vars(r) {
			decoded, err := url.PathUnescape(value)
			if err != nil {
				return &wire.Error{Code: "SerializationException", Status: http.StatusBadRequest, Message: "The path is not properly percent-encoded."}
			}
			call.Labels[name] = decoded
		}
		output, err := action(call)
		if err != nil {
			return err
		}
		body, err := wire.Encode(output, eks.AlwaysWritten...)
		if err != nil {
			return err
		}
		wire.Write(w, http.StatusOK, "application/json", body)
		return nil
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchangeOf(r).operation = operation
		verified.ServeHTTP(w, r)
	})
}

func (s *server) stsCall(w http.ResponseWriter, r *http.Request, call *wire.Call) error {
	call.Operation = s.sts.Operation(call.Params.Get("Action"))
	exchangeOf(r).operation = call.Operation
	return s.sts.Serve(w, call)
}

// otherService answers a call that is well signed for a service that is not here.
func (s *server) otherService(_ http.ResponseWriter, r *http.Request, call *wire.Call) error {
	x := exchangeOf(r)
	operation := call.Params.Get("Action")
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		operation = target[strings.LastIndexByte(target, '.')+1:]
	}
	return wire.Unsupported(x.protocol, clip(x.signature.Service), clip(operation))
}

// unsigned answers a request that has no signature, or none that can be understood.
func (s *server) unsigned(w http.ResponseWriter, r *http.Request) error {
	x := exchangeOf(r)
	if x.signatureErr != nil {
		return wire.IncompleteSignature(x.protocol, x.signatureErr.Error())
	}
	if x.protocol == wire.Query {
		body, err := readBody(w, r)
		if err != nil {
			return err
		}
		params, err := callParams(r, body)
		if err != nil {
			return err
		}
		if action := params.Get("Action"); !sts.NeedsSignature(action) {
			return wire.Unsupported(wire.Query, sts.Name, action)
		}
	}
	return wire.MissingAuthentication(x.protocol)
}
