package kubestate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// head is what stands before a family's series.
type head struct {
	name, help string
	counter    bool
}

func (h head) appendTo(b *bytes.Buffer) {
	kind := "gauge"
	if h.counter {
		kind = "counter"
	}
	b.WriteString("# HELP " + h.name + " " + h.help + "\n# TYPE " + h.name + " " + kind + "\n")
}

// text is the text of a resource's families. Objects come one after another, but a family's series stand together: so
// each family has a text of its own, and what is long of it is compressed at once.
type text struct {
	zip      *gzip.Writer
	families []series
	labels   []byte // of the object that is told
	into     *packed
	err      error // why nothing more is added; nil: it is
}

// series is the text of one family.
type series struct {
	of   *text
	head head
	raw  bytes.Buffer
	// parts are members of a gzip file, which come before raw.
	parts bytes.Buffer
}

func newText(heads []head, zip *gzip.Writer, into *packed) *text {
	t := &text{zip: zip, families: make([]series, len(heads)), into: into}
	for i, h := range heads {
		t.families[i].of, t.families[i].head = t, h
		h.appendTo(&t.families[i].raw)
	}
	return t
}

// object begins an object, of which all series have the labels.
func (t *text) object(labels []string) {
	t.labels = appendLabels(t.labels[:0], labels)
}

func (t *text) family(i int) *series { return &t.families[i] }

const (
	// longRaw is how much of a family is kept uncompressed from one page of objects to the next, in bytes, and mostRaw how
	// much at any moment: one object may have millions of series.
	longRaw, mostRaw = 64 << 10, 256 << 10
	// mostPacked bounds the text of a cluster, compressed. It is some twenty times as long then; mostPlain is for series that
	// differ so little that they are nothing when they are compressed.
	mostPacked, mostPlain = 64 << 20, 1 << 30
)

var errTooLong = errors.New("the cluster has too many objects: their metrics have more than 64 MiB compressed, or more than 1 GiB plain")

// pack compresses the families that have become long.
func (t *text) pack() error {
	for i := range t.families {
		if t.families[i].raw.Len() >= longRaw {
			t.families[i].pack()
		}
	}
	return t.err
}

// pack compresses what is in raw. What comes of it is the text's err.
func (s *series) pack() {
	t := s.of
	if t.err != nil {
		return
	}
	before := s.parts.Len()
	t.into.plain += s.raw.Len()
	if t.err = member(t.zip, &s.raw, &s.parts); t.err != nil {
		return
	}
	if t.into.size += s.parts.Len() - before; t.into.size > mostPacked || t.into.plain > mostPlain {
		t.err = errTooLong
	}
}

// newZip compresses as fast as can be: the text is read once.
func newZip() *gzip.Writer {
	zip, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // there is that level
	}
	return zip
}

// member compresses what is in raw as one more member of a gzip file: all of them together are one too (RFC 1952).
func member(zip *gzip.Writer, raw, to *bytes.Buffer) error {
	zip.Reset(to)
	if _, err := zip.Write(raw.Bytes()); err != nil {
		return err
	}
	raw.Reset()
	return zip.Close()
}

// packed is the text of many families, in order.
type packed struct {
	rest  bytes.Buffer
	parts bytes.Buffer
	size  int // of all that is compressed, in parts and in texts
	plain int // how long that is plain
}

// take adds the families of a resource.
func (p *packed) take(t *text) error {
	for i := range t.families {
		f := &t.families[i]
		if f.parts.Len() > 0 || p.rest.Len() > 4*longRaw {
			if err := p.flush(t.zip); err != nil {
				return err
			}
			p.parts.Write(f.parts.Bytes())
		}
		p.rest.Write(f.raw.Bytes())
		*f = series{}
	}
	return nil
}

func (p *packed) flush(zip *gzip.Writer) error {
	if p.rest.Len() == 0 {
		return nil
	}
	return member(zip, &p.rest, &p.parts)
}

// add adds a series to the object's labels, with more labels: their names and values by turns. After an error it does nothing.
func (s *series) add(value float64, labels ...string) {
	if s.of.err != nil {
		return
	}
	b := s.raw.AvailableBuffer()
	b = append(b, s.head.name...)
	if len(s.of.labels) > 0 || len(labels) > 0 {
		b = append(b, '{')
		b = append(b, s.of.labels...)
		if len(s.of.labels) > 0 && len(labels) > 0 {
			b = append(b, ',')
		}
		b = append(appendLabels(b, labels), '}')
	}
	b = append(b, ' ')
	b = strconv.AppendFloat(b, value, 'g', -1, 64)
	s.raw.Write(append(b, '\n'))
	if s.raw.Len() >= mostRaw {
		s.pack()
	}
}

func appendLabels(b []byte, labels []string) []byte {
	for i := 0; i+1 < len(labels); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, labels[i]...), '=', '"')
		if value := labels[i+1]; strings.ContainsAny(value, "\\\"\n") {
			b = append(b, escape.Replace(value)...)
		} else {
			b = append(b, value...)
		}
		b = append(b, '"')
	}
	return b
}

var escape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// is adds 1 for yes and 0 for no.
func (s *series) is(yes bool, labels ...string) {
	if yes {
		s.add(1, labels...)
	} else {
		s.add(0, labels...)
	}
}

// time adds a time, if there is one.
func (s *series) time(at *metav1.Time, labels ...string) {
	if !at.IsZero() {
		s.add(float64(at.Unix()), labels...)
	}
}

// number adds what is written as a number.
func (s *series) number(digits string, labels ...string) {
	if n, err := strconv.ParseFloat(digits, 64); err == nil {
		s.add(n, labels...)
	}
}

// condition adds a series for each status that a condition may have. label is the last label's name: status or condition.
func (s *series) condition(is corev1.ConditionStatus, label string, labels ...string) {
	labels = append(labels, label, "")
	for _, status := range []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown} {
		labels[len(labels)-1] = strings.ToLower(string(status))
		s.is(is == status, labels...)
	}
}

// oneOf adds a series for each value that there may be.
func oneOf[V ~string](s *series, is V, label string, values ...V) {
	for _, value := range values {
		s.is(is == value, label, string(value))
	}
}

func word(yes bool) string { return strconv.FormatBool(yes) }

// text is what an optional field says; empty: nothing.
func said[V ~string](field *V) string {
	if field == nil {
		return ""
	}
	return string(*field)
}
