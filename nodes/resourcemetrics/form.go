package resourcemetrics

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// form is what items are written as, by their zone: what a list is made of then needs no decoding.
type form string

const (
	asJSON       form = "json"
	asProtobuf   form = "protobuf"
	asRow        form = "row" // of a table, in JSON, with the metadata
	asRowObject  form = "row-object"
	asRowWithout form = "row-without"
)

// forms write an item as it was at a time.
var forms = map[form]func(out []byte, i *item, at time.Time) []byte{
	asJSON:     func(out []byte, i *item, at time.Time) []byte { return appendObject(out, i, at, "") },
	asProtobuf: appendProtobuf,
	asRow: func(out []byte, i *item, at time.Time) []byte {
		out = append(appendCells(out, i), `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1",`...)
		return append(appendMeta(out, i, at), "}}"...)
	},
	asRowObject: func(out []byte, i *item, at time.Time) []byte {
		return append(appendObject(appendCells(out, i), i, at, `"kind":"`+i.kind()+`","apiVersion":"metrics.k8s.io/v1beta1",`), '}')
	},
	asRowWithout: func(out []byte, i *item, _ time.Time) []byte { return append(appendCells(out, i), "null}"...) },
}

// appendPart adds an item to a zone's answer: its key, by which parts are put in order, and what it is written as, each behind its
// length.
func appendPart(out []byte, i *item, as form, at time.Time) []byte {
	out = binary.AppendUvarint(out, uint64(len(i.namespace)+1+len(i.name)))
	out = append(append(append(out, i.namespace...), 0), i.name...)
	begin := len(out)
	out = forms[as](append(out, 0, 0, 0, 0), i, at)
	binary.BigEndian.PutUint32(out[begin:], uint32(len(out)-begin-4))
	return out
}

// part is an item of a zone's answer.
type part struct{ key, body []byte }

var errCutOff = errors.New("the answer is cut off")

// parts reads a zone's answer.
func parts(answer []byte) (all []part, err error) {
	for len(answer) > 0 {
		key, n := binary.Uvarint(answer)
		if n <= 0 || uint64(len(answer)-n) < key || uint64(len(answer)-n)-key < 4 {
			return nil, errCutOff
		}
		p := part{key: answer[n : n+int(key)]}
		answer = answer[n+int(key):]
		size := uint64(binary.BigEndian.Uint32(answer))
		if uint64(len(answer)-4) < size {
			return nil, errCutOff
		}
		p.body, answer = answer[4:4+size], answer[4+size:]
		all = append(all, p)
	}
	return all, nil
}

func (i *item) isNode() bool { return i.namespace == "" }

func (i *item) kind() string {
	if i.isNode() {
		return "NodeMetrics"
	}
	return "PodMetrics"
}

// appendObject adds an item as encoding/json writes it, which would take five times as long. first are other fields.
func appendObject(out []byte, i *item, at time.Time, first string) []byte {
	out = append(append(out, '{'), first...)
	out = appendMeta(out, i, at)
	out = append(appendTime(append(out, `,"timestamp":`...), at), `,"window":`...)
	out = appendText(out, i.window.String())
	if i.isNode() {
		return append(appendUsage(append(out, `,"usage":`...), i.parts[0]), '}')
	}
	out = append(out, `,"containers":[`...)
	for n, c := range i.parts {
		if n > 0 {
			out = append(out, ',')
		}
		out = append(appendText(append(out, `{"name":`...), c.name), `,"usage":`...)
		out = append(appendUsage(out, c), '}')
	}
	return append(out, "]}"...)
}

// appendMeta adds an item's metadata. metrics-server's objects are created when they are asked for.
func appendMeta(out []byte, i *item, at time.Time) []byte {
	out = appendText(append(out, `"metadata":{"name":`...), i.name)
	if !i.isNode() {
		out = appendText(append(out, `,"namespace":`...), i.namespace)
	}
	out = appendTime(append(out, `,"creationTimestamp":`...), at)
	if len(i.labels) > 0 {
		out = append(out, `,"labels":{`...)
		for n, key := range slices.Sorted(maps.Keys(i.labels)) {
			if n > 0 {
				out = append(out, ',')
			}
			out = appendText(append(appendText(out, key), ':'), i.labels[key])
		}
		out = append(out, '}')
	}
	return append(out, '}')
}

func appendUsage(out []byte, u usage) []byte {
	cpu, memory := u.quantities()
	out = append(appendQuantity(append(out, `{"cpu":"`...), cpu), `","memory":"`...)
	return append(appendQuantity(out, memory), `"}`...)
}

// appendCells adds the begin of a table's row, up to the object. A pod's use is the sum of its containers'.
func appendCells(out []byte, i *item) []byte {
	sum := usage{}
	for _, u := range i.parts {
		sum.nanoCores, sum.memory = sum.nanoCores+u.nanoCores, sum.memory+u.memory
	}
	cpu, memory := sum.quantities()
	out = append(appendText(append(out, `{"cells":[`...), i.name), `,"`...)
	out = append(appendQuantity(out, cpu), `","`...)
	out = append(appendQuantity(out, memory), `",`...)
	return append(appendText(out, i.window.String()), `],"object":`...)
}

// quantities are the use as Kubernetes writes it.
func (u usage) quantities() (cpu, memory resource.Quantity) {
	cpu, memory = *resource.NewScaledQuantity(int64(u.nanoCores), resource.Nano), *resource.NewQuantity(int64(u.memory), resource.BinarySI)
	return cpu, memory
}

func appendQuantity(out []byte, q resource.Quantity) []byte {
	number, suffix := q.CanonicalizeBytes(out[len(out):])
	return append(append(out, number...), suffix...)
}

func appendTime(out []byte, at time.Time) []byte {
	return append(at.UTC().AppendFormat(append(out, '"'), time.RFC3339), '"')
}

// appendText adds a string. Names and labels are made of letters that mean themselves.
func appendText(out []byte, text string) []byte {
	for n := range len(text) {
		if c := text[n]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(text) // a string has no error
			return append(out, quoted...)
		}
	}
	return append(append(append(out, '"'), text...), '"')
}

// appendProtobuf adds an item in Kubernetes' own encoding of it.
func appendProtobuf(out []byte, i *item, at time.Time) []byte {
	meta := metav1.ObjectMeta{Namespace: i.namespace, Name: i.name, Labels: i.labels, CreationTimestamp: metav1.NewTime(at)}
	var message interface {
		Size() int
		MarshalToSizedBuffer([]byte) (int, error)
	}
	if i.isNode() {
		message = &v1beta1.NodeMetrics{ObjectMeta: meta, Timestamp: metav1.NewTime(at), Window: metav1.Duration{Duration: i.window},
			Usage: i.parts[0].list()}
	} else {
		containers := make([]v1beta1.ContainerMetrics, len(i.parts))
		for n, c := range i.parts {
			containers[n] = v1beta1.ContainerMetrics{Name: c.name, Usage: c.list()}
		}
		message = &v1beta1.PodMetrics{ObjectMeta: meta, Timestamp: metav1.NewTime(at), Window: metav1.Duration{Duration: i.window},
			Containers: containers}
	}
	begin := len(out)
	out = append(out, make([]byte, message.Size())...)
	_, _ = message.MarshalToSizedBuffer(out[begin:]) // it is as large as it says
	return out
}

func (u usage) list() corev1.ResourceList {
	cpu, memory := u.quantities()
	return corev1.ResourceList{corev1.ResourceCPU: cpu, corev1.ResourceMemory: memory}
}
