package logrouter

import (
	"encoding/json"
	"strings"
	"time"

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
}

type body struct {
	Time       string          `json:"time"`
	Stream     string          `json:"stream"`
	Part       string          `json:"_p"`
	Log        string          `json:"log"`
	Processed  json.RawMessage `json:"log_processed,omitempty"`
	Kubernetes *Kubernetes     `json:"kubernetes"`
}

// record makes one of a line. A line that is an object of JSON is told as such, too (Merge_Log).
func record(line podlogs.Line, tag string, about *Kubernetes) Record {
	r := Record{At: line.At, Tag: tag, body: body{Time: line.At.UTC().Format(podlogs.Stamp), Stream: "stdout", Part: "F",
		Log: strings.ToValidUTF8(line.Text, "\ufffd"), Kubernetes: about}}
	if line.Stderr {
		r.body.Stream = "stderr"
	}
	if strings.HasPrefix(line.Text, "{") && json.Valid([]byte(line.Text)) {
		r.body.Processed = json.RawMessage(line.Text)
	}
	return r
}

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
