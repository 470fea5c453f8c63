package operation

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"tripod/awsapi/wire"
)

// Action answers one operation with its output, or an error (a *wire.Error for the client's eyes). The output is a
// shape of the SDK, or what encoding/xml or encoding/json write as the protocol has it.
type Action func(*Call) (any, error)

// Service is an AWS service as package awsapi lists it. All that is said of a service beside its operations is here, so
// that nothing needs to know it by name.
type Service struct {
	// Title is the name for people, such as the heading in docs/operations.md.
	Title string
	// Name is the signing name, by which requests are told apart.
	Name string
	// Protocol is how all of its APIs speak.
	Protocol wire.Protocol
	// APIs are called under the signing name: mostly one. The first also gets the calls that name no API's version.
	APIs []API
	// Documented are the lines of docs/operations.md.
	Documented []Documented
	// Unsigned are the operations that need no signature, since they bring another proof of who calls.
	Unsigned []string
	// BodyLimit is how large a request's body may be, in bytes, and BodyLimits of operations that take more. 0 means as
	// large as any.
	BodyLimit  int64
	BodyLimits map[string]int64
	// Compressed says that bodies may be compressed by gzip.
	Compressed bool
	// Errors are the service's own shapes of errors that any call can meet.
	Errors Errors
	// Public adds routes that are no calls of the API and need no signature. failed is told what a client must not see.
	// Nil adds none.
	Public func(router *mux.Router, failed func(*http.Request, error))
}

// Errors are a service's own shapes of errors that any call can meet. Where one is not set, the protocol's usual
// counts.
type Errors struct {
	// Throttled refuses a call of an operation that was called too often.
	Throttled func(message string) *wire.Error
	// Unavailable refuses a call that the regional state could not do at the moment; SDKs try again.
	Unavailable func(message string) *wire.Error
	// Internal is the code of an error that nobody expected.
	Internal string
}

// API is a service's operations in one protocol.
type API interface {
	// Route adds the API's paths to a router. handle makes the handler of a path: of the operation with that name, or
	// with an empty name of those whose requests name the operation elsewhere.
	Route(router *mux.Router, handle func(operation string) http.Handler)
	// Operation is the name if the API has such an operation, and otherwise empty: fit for a metric's label.
	Operation(name string) string
	// Names are the operations that Tripod has, sorted.
	Names() []string
	// Serve answers a call whose operation is set. Errors are *wire.Error or unexpected; with one it has written
	// nothing.
	Serve(w http.ResponseWriter, call *Call) error

	// accepts says whether a request for that version of an API is for this one.
	accepts(version string) bool
	// xmlns is the namespace of the answers' XML; empty where they have none.
	xmlns() string
}

// API is the one that a request for that version means.
func (s Service) API(version string) API {
	return s.APIs[max(0, slices.IndexFunc(s.APIs, func(api API) bool { return api.accepts(version) }))]
}

// Namespace is that of the XML of errors of a request for that version; empty where there is none.
func (s Service) Namespace(version string) string {
	if len(s.APIs) == 0 {
		return ""
	}
	return s.API(version).xmlns()
}

// UnknownPath answers a request for a path that none of the APIs has.
func (s Service) UnknownPath(method, path string) *wire.Error {
	if s.Protocol == wire.RestJSON {
		return wire.UnknownOperation(s.Protocol, s.Title+" has no operation "+method+" "+path+".")
	}
	return wire.UnknownOperation(s.Protocol,
		strings.ToUpper(s.Name)+" is called with GET / or POST /, not "+method+" "+path+".")
}

// Throttled refuses a call of an operation that was called too often.
func (s Service) Throttled(p wire.Protocol, message string) *wire.Error {
	if s.Errors.Throttled != nil {
		return s.Errors.Throttled(message)
	}
	return wire.Throttled(p, message)
}

// Unavailable refuses a call that the regional state could not do at the moment.
func (s Service) Unavailable(p wire.Protocol, message string) *wire.Error {
	if s.Errors.Unavailable != nil {
		return s.Errors.Unavailable(message)
	}
	return wire.Unavailable(p, message)
}

// Unexpected is the service's internal error, which says nothing of what happened. cause is for the log.
func (s Service) Unexpected(p wire.Protocol, cause error) *wire.Error {
	e := wire.Unexpected(p, cause)
	if s.Errors.Internal != "" {
		e.Code = s.Errors.Internal
	}
	return e
}

// root adds the one path of the protocols whose requests name the operation in a header or parameter.
func root(router *mux.Router, handle func(operation string) http.Handler) {
	router.Handle("/", handle("")).Methods(http.MethodGet, http.MethodPost)
}
