package podexec

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"tripod/internal/pki"
	"tripod/nodes/podvolume"
)

const (
	secretsDir = "/var/run/secrets"
	accountDir = secretsDir + "/kubernetes.io/serviceaccount"
)

// pod is the pod and what was made of it.
type pod struct {
	options   Options
	client    kubernetes.Interface
	server    string
	ca        []byte // PEM
	cluster   string
	object    *corev1.Pod
	container *corev1.Container
	dir       string // DIR/secrets is what the command sees as /var/run/secrets
	objects   map[string]podvolume.Object
	vars      map[string]string // the container's own variables, once environ has made them
	tokens    []*tokenFile
	wait      sync.WaitGroup
	place     *place // once where has found it
}

// local is where a file below /var/run/secrets lies in the pod's directory.
func (p *pod) local(file string) string {
	return filepath.Join(p.dir, "secrets", strings.TrimPrefix(file, secretsDir))
}

// kubeconfigFile is what KUBECONFIG names.
func (p *pod) kubeconfigFile() string { return filepath.Join(p.dir, "kubeconfig") }

// writeKubeconfig leads clients that know no in-cluster configuration to the cluster as the pod. A pod without a token
// gets one without a user.
func (p *pod) writeKubeconfig() error {
	type object = map[string]any
	user := object{}
	if token := p.local(accountDir + "/token"); exists(token) {
		user["tokenFile"] = token
	}
	text, err := json.MarshalIndent(object{
		"apiVersion": "v1", "kind": "Config", "current-context": "pod",
		"clusters": []object{{"name": p.cluster,
			"cluster": object{"server": p.server, "certificate-authority-data": base64.StdEncoding.EncodeToString(p.ca)}}},
		"users": []object{{"name": p.object.Spec.ServiceAccountName, "user": user}},
		"contexts": []object{{"name": "pod",
			"context": object{"cluster": p.cluster, "user": p.object.Spec.ServiceAccountName, "namespace": p.object.Namespace}}},
	}, "", "  ")
	if err != nil {
		return err
	}
	return pki.Write(p.kubeconfigFile(), text)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
