package operation

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"tripod/awsapi/wire"
)

// RPCAPI is an API that speaks the protocols query, awsJson1.0 and rpcv2Cbor, of which a client chooses one. Its actions take
// and give documents.
type RPCAPI struct {
	// Name is the service's signing name, Target what its calls in JSON and CBOR name it by, Version the API's in the query
	// protocol and Namespace that of its XML.
	Name, Target, Version, Namespace string
	// Types are those of the documents' members.
	Types wire.Types
	// Operations are the operations that Tripod has, by name.
	Operations map[string]func(*Call, wire.Document) (wire.Document, error)
}

// Route adds the paths of the protocols.
func (api *RPCAPI) Route(router *mux.Router, handle func(operation string) http.Handler) {
	root(router, handle)
	router.Handle("/service/"+api.Target+"/operation/{operation}", handle("")).Methods(http.MethodPost)
}

// Operation is the name if Tripod has such an operation, and otherwise empty.
func (api *RPCAPI) Operation(name string) string {
	if api.Operations[name] == nil {
		return ""
	}
	return name
}

// Names are the operations that Tripod has, sorted.
func (api *RPCAPI) Names() []string { return slices.Sorted(maps.Keys(api.Operations)) }

// Serve answers one call.
func (api *RPCAPI) Serve(w http.ResponseWriter, call *Call) error {
	p := wire.ProtocolOf(call.Request, api.Name, wire.CBOR)
	action := api.Operations[call.Operation]
	if action == nil {
		return wire.Unsupported(p, api.Name, wire.Clip(asked(p, call)))
	}
	in, err := wire.DecodeRPC(p, api.Types, call.Params, call.Body)
	if err != nil {
		return err
	}
	out, err := action(call, in)
	if err != nil {
		return err
	}
	wire.WriteRPC(w, call.Request, p, api.Types, call.Operation, call.RequestID, api.Namespace, out)
	return nil
}

// asked is the operation that a call says it is for.
func asked(p wire.Protocol, call *Call) string {
	switch target := call.Request.Header.Get("X-Amz-Target"); p {
	case wire.CBOR:
		return call.Request.URL.Path[strings.LastIndexByte(call.Request.URL.Path, '/')+1:]
	case wire.AWSJSON:
		return target[strings.LastIndexByte(target, '.')+1:]
	}
	return call.Params.Get("Action")
}

func (api *RPCAPI) accepts(version string) bool { return version == "" || version == api.Version }
func (api *RPCAPI) xmlns() string               { return api.Namespace }
