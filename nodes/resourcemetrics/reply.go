package resourcemetrics

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// What the API answers in.
const (
	mediaJSON = "application/json"
	mediaYAML = "application/yaml"
	protobuf  = "application/vnd.kubernetes.protobuf"
)

// protobufMagic stands before an object in protobuf.
const protobufMagic = "k8s\x00"

// reply is how somebody wants an answer.
type reply struct {
	media string
	table bool
}

// negotiate is the first of what a client accepts that there is.
func negotiate(r *http.Request) (reply, bool) {
	accepts := strings.Join(r.Header.Values("Accept"), ",")
	if accepts == "" {
		accepts = "*/*"
	}
	for clause := range strings.SplitSeq(accepts, ",") {
		media, parameters, err := mime.ParseMediaType(clause)
		if err != nil {
			continue
		}
		if media == "*/*" || media == "application/*" {
			media = mediaJSON
		}
		switch as := parameters["as"]; {
		case media != mediaJSON && media != mediaYAML && media != protobuf:
		case as == "":
			return reply{media: media}, true
		case as == "Table" && media != protobuf && parameters["g"] == "meta.k8s.io" && parameters["v"] == "v1":
			return reply{media, true}, true
		}
	}
	return reply{}, false
}

// form is what zones write items as, for it.
func (as reply) form(r *http.Request) form {
	switch include := metav1.IncludeObjectPolicy(r.URL.Query().Get("includeObject")); {
	case !as.table && as.media == protobuf:
		return asProtobuf
	case !as.table:
		return asJSON
	case include == metav1.IncludeObject:
		return asRowObject
	case include == metav1.IncludeNone:
		return asRowWithout
	}
	return asRow
}

// fail answers an error as a Status.
func (as reply) fail(w http.ResponseWriter, err error) {
	var known apierrors.APIStatus
	status := metav1.Status{Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Reason: metav1.StatusReasonInternalError,
		Message: err.Error()}
	if errors.As(err, &known) {
		status = known.Status()
	}
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	as.object(w, int(status.Code), &status)
}

// object answers an object of Kubernetes' own.
func (as reply) object(w http.ResponseWriter, code int, object runtime.Object) {
	message, isProtobuf := object.(interface{ Marshal() ([]byte, error) })
	if as.media == protobuf && isProtobuf {
		if raw, err := message.Marshal(); err == nil {
			apiVersion, kind := object.GetObjectKind().GroupVersionKind().ToAPIVersionAndKind()
			as.send(w, code, protobufOf(apiVersion, kind, raw))
			return
		}
	}
	text, err := json.Marshal(object)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if as.media == protobuf {
		as.media = mediaJSON
	}
	as.send(w, code, append(text, '\n'))
}

// columns are metrics-server's.
const columns = `"columnDefinitions":[{"name":"Name","type":"string","format":"name","description":"Name of the resource","priority":0},` +
	`{"name":"cpu","type":"string","format":"quantity","description":"","priority":0},` +
	`{"name":"memory","type":"string","format":"quantity","description":"","priority":0},` +
	`{"name":"Window","type":"string","format":"duration","description":"","priority":0}],"rows":[`

// list answers what zones have written, as a list or a table.
func (as reply) list(w http.ResponseWriter, of kind, items []part) {
	size := 1024
	for _, i := range items {
		size += len(i.body) + 8
	}
	out := make([]byte, 0, size)
	switch {
	case as.media == protobuf:
		out = append(out, 1<<3|2, 0) // the list's metadata, which is empty
		for _, i := range items {
			out = append(binary.AppendUvarint(append(out, 2<<3|2), uint64(len(i.body))), i.body...)
		}
		as.send(w, http.StatusOK, protobufOf(groupVersion, of.name+"List", out))
		return
	case as.table && len(items) == 0: // metrics-server makes columns of the first row
		out = append(out, `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{},"columnDefinitions":null,"rows":[`...)
	case as.table:
		out = append(append(out, `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{},`...), columns...)
	default:
		out = fmt.Appendf(out, `{"kind":"%sList","apiVersion":%q,"metadata":{},"items":[`, of.name, groupVersion)
	}
	for n, i := range items {
		if n > 0 {
			out = append(out, ',')
		}
		out = append(out, i.body...)
	}
	as.send(w, http.StatusOK, append(out, "]}\n"...))
}

// item answers a single one.
func (as reply) item(w http.ResponseWriter, of kind, i part) {
	if as.media == protobuf {
		as.send(w, http.StatusOK, protobufOf(groupVersion, of.name, i.body))
		return
	}
	out := fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q,`, of.name, groupVersion)
	as.send(w, http.StatusOK, append(append(out, i.body[1:]...), '\n'))
}

// send sends a text in JSON, or whatever the reply's media is otherwise.
func (as reply) send(w http.ResponseWriter, code int, body []byte) {
	if as.media == mediaYAML {
		var err error
		if body, err = yaml.JSONToYAML(body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Type", as.media)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-cache, private")
	w.WriteHeader(code)
	w.Write(body) // the client has gone if this fails
}

// protobufOf is an object in Kubernetes' envelope.
func protobufOf(apiVersion, kind string, raw []byte) []byte {
	envelope := runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: apiVersion, Kind: kind}, Raw: raw}
	out := make([]byte, len(protobufMagic)+envelope.Size())
	copy(out, protobufMagic)
	_, _ = envelope.MarshalToSizedBuffer(out[len(protobufMagic):]) // it is as large as it says
	return out
}
