package logrouter

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tripod/nodes/podlogs"
)

// Kubernetes is what Fluent Bit's Kubernetes filter adds to a record.
type Kubernetes struct {
	PodName        string            `json:"pod_name"`
	NamespaceName  string            `json:"namespace_name"`
	PodID          string            `json:"pod_id"`
	Labels         map[string]string `json:"labels,omitempty"`
	Annotations    map[string]string `json:"annotations,omitempty"`
	Host           string            `json:"host"`
	ContainerName  string            `json:"container_name"`
	DockerID       string            `json:"docker_id,omitempty"`
	ContainerHash  string            `json:"container_hash,omitempty"`
	ContainerImage string            `json:"container_image,omitempty"`
}

// What a pod's labels and annotations may take in each of its records: an annotation's value, and all together. Fluent Bit leaves out
// the metadata of a pod that is longer than its Buffer_Size, 32 KiB.
const (
	mostValue    = 1 << 10
	mostMetadata = 8 << 10
	// settings are annotations that say what Tripod's pods do; those of logs hold all that is logged.
	settings = "tripod.internal/"
)

// bound leaves out what would make records long: every line's has it. Labels come first, both in order of their names.
func (k *Kubernetes) bound() {
	left := mostMetadata
	take := func(all map[string]string, but string) map[string]string {
		some := map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			size := len(name) + len(all[name])
			if len(all[name]) > mostValue || size > left || but != "" && strings.HasPrefix(name, but) {
				continue
			}
			some[name] = all[name]
			left -= size
		}
		return some
	}
	k.Labels = take(k.Labels, "")
	k.Annotations = take(k.Annotations, settings)
	k.ContainerImage, k.ContainerHash = cut(k.ContainerImage, mostValue), cut(k.ContainerHash, mostValue)
}

// size is how long the description is as JSON, in bytes.
func (k *Kubernetes) size() int {
	text, _ := json.Marshal(k) // of strings alone
	return len(text)
}

// cut are the first so many bytes of a text, but for part of a character.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// describe is what the name of a log's file tells.
func describe(name podlogs.Name, node string) Kubernetes {
	_, id, _ := strings.Cut(name.ContainerID, "://")
	return Kubernetes{PodName: name.Pod, NamespaceName: name.Namespace, PodID: name.UID, Host: node, ContainerName: name.Container,
		DockerID: id}
}

// Record is a line of a log.
type Record struct {
	At   time.Time
	Tag  string // application.var.log.containers.POD_NAMESPACE_CONTAINER-ID.log
	body body
	same int // which of the log's lines of that time it is, from 1 on; 0: not known
}

type body struct {
	Time       string          `json:"time"`
	Stream     string          `json:"stream"`
	Part       string          `json:"_p"`
	Log        string          `json:"log"`
	Processed  json.RawMessage `json:"log_processed,omitempty"`
	Kubernetes *Kubernetes     `json:"kubernetes"`
}

// mostDepth is how deep the objects and arrays of a line may be for it to be told as JSON. Fluentd closes connections at 128, and
// Elasticsearch has fields down to 20.
const mostDepth = 20

// shallow says whether valid JSON is no deeper than that.
func shallow(text string) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > mostDepth {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

// record makes one of a line. A line that is an object of JSON is told as such, too (Merge_Log).
func record(line podlogs.Line, tag string, about *Kubernetes) Record {
	text := strings.ToValidUTF8(line.Text, "\ufffd")
	r := Record{At: line.At, Tag: tag, body: body{Time: line.At.UTC().Format(podlogs.Stamp), Stream: "stdout", Part: "F", Log: text,
		Kubernetes: about}}
	if line.Stderr {
		r.body.Stream = "stderr"
	}
	if strings.HasPrefix(text, "{") && json.Valid([]byte(text)) && shallow(text) {
		r.body.Processed = json.RawMessage(text)
	}
	return r
}

// size is how long the record is as JSON, in bytes and about, but for what it says of the pod.
func (r Record) size() int { return len(r.body.Log) + len(r.body.Processed) + 150 }

// JSON is the record as one object.
func (r Record) JSON() []byte {
	text, err := json.Marshal(r.body)
	if err != nil { // of strings and valid JSON alone
		return []byte("{}")
	}
	return text
}

// plain is the record without labels and annotations, as AWS's configuration has them off for CloudWatch.
func (r Record) plain() Record {
	about := *r.body.Kubernetes
	about.Labels, about.Annotations = nil, nil
	r.body.Kubernetes = &about
	return r
}

// dataplane are the pods whose logs AWS's configuration has in the log group "dataplane".
func (r Record) dataplane() bool {
	name := r.body.Kubernetes.PodName
	return strings.HasPrefix(name, "aws-node") || strings.HasPrefix(name, "kube-proxy")
}
