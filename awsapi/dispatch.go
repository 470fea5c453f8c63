package awsapi

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/gorilla/mux"

	"tripod/awsapi/eks"
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

// restOperation is the handler of an operation of EKS. action is nil for those that Tripod does not have.
func (s *server) restOperation(operation string, action eks.Action) http.Handler {
	return s.rest(operation, http.StatusOK, func(call *wire.Call) ([]byte, error) {
		if action == nil {
			return nil, wire.Unsupported(wire.RestJSON, eks.Name, operation)
		}
		output, err := action(call)
		if err != nil {
			return nil, err
		}
		return wire.Encode(output, eks.AlwaysWritten...)
	})
}

// rest is the handler of a restJson1 operation; answer makes the body of an answer with that status.
func (s *server) rest(operation string, status int, answer func(*wire.Call) ([]byte, error)) http.Handler {
	verified := s.signed(func(w http.ResponseWriter, r *http.Request, call *wire.Call) error {
		call.Operation = operation
		call.Labels = make(map[string]string)
		for name, value := range mux.Vars(r) {
			decoded, err := url.PathUnescape(value)
			if err != nil {
				return &wire.Error{Code: "SerializationException", Status: http.StatusBadRequest, Message: "The path is not properly percent-encoded."}
			}
			call.Labels[name] = decoded
		}
		exchangeOf(r).call = call
		if err := s.throttled(exchangeOf(r)); err != nil {
			return err
		}
		body, err := answer(call)
		if err != nil {
			return err
		}
		wire.Write(w, status, "application/json", body)
		return nil
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchangeOf(r).operation = operation
		verified.ServeHTTP(w, r)
	})
}

// otherService answers a call that is well signed for a service that is not here.
func (s *server) otherService(w http.ResponseWriter, r *http.Request, call *wire.Call) error {
	x := exchangeOf(r)
	action := actionOf(r, call)
	x.claimed = action
	return s.passOn(w, r, call, action, wire.Unsupported(x.protocol, clip(x.signature.Service), clip(action)))
}

// cborOperation is the path of a call in CBOR.
var cborOperation = regexp.MustCompile(`^/service/[A-Za-z0-9_]+/operation/([A-Za-z0-9]+)$`)

// actionOf is what a call says that its operation is, in a query or JSON protocol. It is empty in those that say it by the path,
// and where a call says it twice: a permission for one action must not be good for what another emulator takes the call for.
func actionOf(r *http.Request, call *wire.Call) string {
	target, actions := r.Header.Values("X-Amz-Target"), call.Params["Action"]
	name := cborOperation.FindStringSubmatch(r.URL.Path)
	if exchangeOf(r).protocol == wire.CBOR && name != nil && len(target)+len(actions) == 0 {
		return name[1]
	}
	if r.URL.Path != "/" || len(target)+len(actions) != 1 {
		return ""
	}
	switch exchangeOf(r).protocol {
	case wire.AWSJSON:
		return targetOf(r)
	case wire.Query, wire.EC2Query:
		return strings.Join(actions, "")
	}
	return ""
}

// targetOf is the operation that the header X-Amz-Target names, empty where there is none or there are several.
func targetOf(r *http.Request) string {
	target := r.Header.Values("X-Amz-Target")
	if len(target) != 1 {
		return ""
	}
	return target[0][strings.LastIndexByte(target[0], '.')+1:]
}

// unsigned answers a request that has no signature, or none that can be understood.
func (s *server) unsigned(w http.ResponseWriter, r *http.Request) error {
	x := exchangeOf(r)
	if x.signatureErr != nil {
		return wire.IncompleteSignature(x.protocol, x.signatureErr.Error())
	}
	if x.protocol == wire.Query {
		body, err := readBody(w, r, maxUnsignedBody)
		if err != nil {
			return err
		}
		if answered, err := s.unsignedCall(w, r, body); answered || err != nil {
			return err
		}
	}
	return wire.MissingAuthentication(x.protocol)
}
