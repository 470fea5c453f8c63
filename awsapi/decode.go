package awsapi

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/gorilla/mux"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

// callParams are the query's parameters and those of a form in the body, without the signature's own.
func callParams(r *http.Request, body []byte) (url.Values, error) {
	malformed := &wire.Error{Code: "MalformedQueryString", Status: http.StatusBadRequest,
		Message: "The query string or form is malformed."}
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, malformed
	}
	if wire.IsForm(r) {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, malformed
		}
		for name, values := range form {
			params[name] = append(params[name], values...)
		}
	}
	return params, nil
}

// callLabels are the values that stand in the path, by their names in the route.
func callLabels(r *http.Request) (map[string]string, error) {
	labels := make(map[string]string)
	for name, value := range mux.Vars(r) {
		decoded, err := url.PathUnescape(value)
		if err != nil {
			return nil, &wire.Error{Code: "SerializationException", Status: http.StatusBadRequest,
				Message: "The path is not properly percent-encoded."}
		}
		labels[name] = decoded
	}
	return labels, nil
}

// cborOperation is the path of a call in CBOR.
var cborOperation = regexp.MustCompile(`^/service/[A-Za-z0-9_]+/operation/([A-Za-z0-9]+)$`)

// actionOf is what a call says that its operation is, in a query or JSON protocol. It is empty in those that say it by
// the path, and where a call says it twice: a permission for one action must not be good for what another emulator
// takes the call for.
func actionOf(r *http.Request, call *operation.Call) string {
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
