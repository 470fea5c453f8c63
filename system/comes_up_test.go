package system

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"

	"tripod/api"
	"tripod/internal/datadir"
)

func TestRegionComesUp(t *testing.T) {
	t.Parallel()
	r := sharedRegion(t)
	if status := r.status(t); status.Phase != api.PhaseReady {
		t.Errorf("up returned while the region is %s", status.Phase)
	}
	kube := r.kube(t)
	namespace(t, kube, "comes-up")
	serviceAccount(t, kube, "comes-up")
	for name, story := range map[string]func(*testing.T, *testRegion, *kubernetes.Clientset){
		"three nodes, one a zone":       threeNodes,
		"what a fresh EKS shows":        freshCluster,
		"version":                       version,
		"three API servers":             threeAPIServers,
		"service network":               serviceNetwork,
		"secrets are encrypted at rest": secretsAtRest,
		"files are the user's alone":    privateFiles,
		"audit log":                     auditLog,
		"pods answer":                   podsAnswer,
		"custom resources":              customResources,
		"RBAC":                          roleBasedAccess,
	} {
		t.Run(name, func(t *testing.T) { story(t, r, kube) })
	}
}

func threeNodes(t *testing.T, r *testRegion, kube *kubernetes.Clientset) {
	want := []string{"us-east-1a", "us-east-1b", "us-east-1c"}
	eventually(t, 30*time.Second, "a ready node in each zone", func() (bool, string) {
		nodes, err := kube.CoreV1().Nodes().List(within(t, 5*time.Second), metav1.ListOptions{})
		if err != nil {
			return false, err.Error()
		}
		var zones []string
		for _, node := range nodes.Items {
			if isReady(node) {
				zones = append(zones, node.Labels[corev1.LabelTopologyZone])
			}
			if !strings.HasPrefix(node.Spec.ProviderID, "aws:///"+node.Labels[corev1.LabelTopologyZone]+"/i-") {
				return false, "provider id " + node.Spec.ProviderID
			}
		}
		slices.Sort(zones)
		return slices.Equal(zones, want), fmt.Sprint(zones)
	})
}

func freshCluster(t *testing.T, _ *testRegion, kube *kubernetes.Clientset) {
	ctx := within(t, 60*time.Second)
	eventually(t, 40*time.Second, "coredns, kube-proxy and aws-node run", func() (bool, string) {
		dns, err := kube.AppsV1().Deployments("kube-system").Get(ctx, "coredns", metav1.GetOptions{})
		if err != nil || dns.Status.ReadyReplicas != 2 {
			return false, fmt.Sprint("coredns: ", err, dns.Status)
		}
		for _, name := range []string{"kube-proxy", "aws-node"} {
			set, err := kube.AppsV1().DaemonSets("kube-system").Get(ctx, name, metav1.GetOptions{})
			if err != nil || set.Status.NumberReady != 3 {
				return false, fmt.Sprint(name, ": ", err, set.Status)
			}
		}
		return true, ""
	})
	if _, err := kube.StorageV1().StorageClasses().Get(ctx, "gp2", metav1.GetOptions{}); err != nil {
		t.Errorf("storage class: %v", err)
	}
	for _, name := range []string{"kube-system", "kube-public", "kube-node-lease", "default"} {
		if _, err := kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{}); err != nil {
			t.Errorf("namespace: %v", err)
		}
	}
	roles, err := kube.RbacV1().ClusterRoles().List(ctx, metav1.ListOptions{})
	must(t, "list roles", err)
	if !slices.ContainsFunc(roles.Items,
		func(role rbacv1.ClusterRole) bool { return strings.HasPrefix(role.Name, "eks:") }) {
		t.Error("there is no eks: role")
	}
	service, err := kube.CoreV1().Services("kube-system").Get(ctx, "kube-dns", metav1.GetOptions{})
	if err != nil || service.Spec.ClusterIP != "10.100.0.10" {
		t.Errorf("kube-dns: got %v, %v", service.Spec.ClusterIP, err)
	}
}

func version(t *testing.T, _ *testRegion, kube *kubernetes.Clientset) {
	got, err := kube.Discovery().ServerVersion()
	must(t, "version", err)
	if !strings.HasPrefix(got.GitVersion, "v1.36.") || !strings.Contains(got.GitVersion, "-eks-") || got.Major != "1" ||
		!strings.HasPrefix(got.Minor, "36") {
		t.Errorf("got %+v, want v1.36.x-eks-...", got)
	}
	nodes, err := kube.CoreV1().Nodes().List(within(t, 5*time.Second), metav1.ListOptions{})
	must(t, "list nodes", err)
	for _, node := range nodes.Items {
		if v := node.Status.NodeInfo.KubeletVersion; !strings.HasPrefix(v, "v1.36.") || !strings.Contains(v, "-eks-") {
			t.Errorf("kubelet of %s has version %s", node.Name, v)
		}
	}
}

func threeAPIServers(t *testing.T, _ *testRegion, kube *kubernetes.Clientset) {
	eventually(t, 30*time.Second, "three leases of API servers", func() (bool, string) {
		leases, err := kube.CoordinationV1().Leases("kube-system").List(within(t, 5*time.Second), metav1.ListOptions{})
		if err != nil {
			return false, err.Error()
		}
		var names []string
		for _, lease := range leases.Items {
			if strings.HasPrefix(lease.Name, "apiserver-") {
				names = append(names, lease.Name)
			}
		}
		return len(names) == 3, fmt.Sprint(names)
	})
	want := []string{"10.0.0.10:443", "10.0.32.10:443", "10.0.64.10:443"}
	eventually(t, 30*time.Second, "default/kubernetes lists the network interfaces of three zones", func() (bool, string) {
		listed, err := kube.DiscoveryV1().EndpointSlices("default").List(within(t, 5*time.Second),
			metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=kubernetes"})
		if err != nil {
			return false, err.Error()
		}
		var got []string
		for _, slice := range listed.Items {
			for _, endpoint := range slice.Endpoints {
				for _, port := range slice.Ports {
					got = append(got, fmt.Sprintf("%s:%d", endpoint.Addresses[0], *port.Port))
				}
			}
		}
		slices.Sort(got)
		return slices.Equal(got, want), fmt.Sprint(got)
	})
}

func serviceNetwork(t *testing.T, _ *testRegion, kube *kubernetes.Clientset) {
	ctx := within(t, 10*time.Second)
	own, err := kube.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{})
	must(t, "get the service kubernetes", err)
	if own.Spec.ClusterIP != "10.100.0.1" {
		t.Errorf("the service kubernetes has %s, want 10.100.0.1", own.Spec.ClusterIP)
	}
	made, err := kube.CoreV1().Services("comes-up").Create(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}, metav1.CreateOptions{})
	must(t, "create a service", err)
	if address, err := netip.ParseAddr(made.Spec.ClusterIP); err != nil ||
		!netip.MustParsePrefix("10.100.0.0/16").Contains(address) {
		t.Errorf("a new service has %q, want one of 10.100.0.0/16", made.Spec.ClusterIP)
	}
}

// secretsAtRest reads what the members of etcd hold, each its own copy.
func secretsAtRest(t *testing.T, r *testRegion, kube *kubernetes.Clientset) {
	ctx := within(t, 20*time.Second)
	const plain = "the-cat-is-called-Schroedinger"
	_, err := kube.CoreV1().Secrets("comes-up").Create(ctx,
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "cat"}, StringData: map[string]string{"name": plain}},
		metav1.CreateOptions{})
	must(t, "create a secret", err)
	_, err = kube.CoreV1().ConfigMaps("comes-up").Create(ctx, configMap("cat", plain), metav1.CreateOptions{})
	must(t, "create a config map", err)
	for i, zone := range []string{"us-east-1a", "us-east-1b", "us-east-1c"} {
		store := openEtcd(t, filepath.Join(r.clusterDir(t, zone), "pki"), etcdAddress(t, r, i))
		read := func(key string) []byte {
			var value []byte
			eventually(t, 5*time.Second, zone+" has "+key, func() (bool, string) {
				got, err := store.Get(ctx, key, clientv3.WithSerializable())
				if err != nil || len(got.Kvs) != 1 {
					return false, fmt.Sprint(err)
				}
				value = got.Kvs[0].Value
				return true, ""
			})
			return value
		}
		if secret := read("/registry/secrets/comes-up/cat"); !bytes.HasPrefix(secret, []byte("k8s:enc:secretbox:v1:")) ||
			bytes.Contains(secret, []byte(plain)) {
			t.Errorf("etcd of %s holds the secret as %.60q", zone, secret)
		}
		if config := read("/registry/configmaps/comes-up/cat"); !bytes.Contains(config, []byte(plain)) {
			t.Errorf("etcd of %s holds the config map as %.60q: this test looks at the wrong place", zone, config)
		}
	}
	got, err := kube.CoreV1().Secrets("comes-up").Get(ctx, "cat", metav1.GetOptions{})
	if err != nil || string(got.Data["name"]) != plain {
		t.Errorf("the secret comes back as %q, %v", got.Data["name"], err)
	}
	if err := visitEtcdWithoutCertificate(etcdAddress(t, r, 0)); err == nil {
		t.Error("etcd speaks to a client without a certificate")
	}
}

// etcdAddress is where the member of a zone, by its place among the region's, serves clients.
func etcdAddress(t *testing.T, r *testRegion, zone int) string {
	t.Helper()
	endpoint, err := url.Parse(r.cluster(t).Endpoint)
	must(t, "parse the endpoint", err)
	port, err := strconv.Atoi(endpoint.Port())
	must(t, "read the endpoint's port", err)
	return fmt.Sprintf("127.0.0.1:%d", port+4+zone)
}

func openEtcd(t *testing.T, pki, address string) *clientv3.Client {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(pki, "etcd-client.crt"), filepath.Join(pki, "etcd-client.key"))
	must(t, "read etcd's client certificate", err)
	ca, err := os.ReadFile(filepath.Join(pki, "etcd-ca.crt"))
	must(t, "read etcd's authority", err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	store, err := clientv3.New(clientv3.Config{Endpoints: []string{address}, DialTimeout: 5 * time.Second,
		TLS: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool}})
	must(t, "make an etcd client", err)
	t.Cleanup(func() { store.Close() })
	return store
}

func visitEtcdWithoutCertificate(address string) error {
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, err = conn.Read(make([]byte, 1)) // TLS 1.3 tells of the missing certificate after the handshake
	return err
}

func privateFiles(t *testing.T, r *testRegion, _ *kubernetes.Clientset) {
	for _, top := range []string{r.dir, filepath.Dir(datadir.SocketPath(r.dir))} {
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // etcd renames and removes files as it goes
			}
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return nil
			}
			want := fs.FileMode(0o600)
			if entry.IsDir() {
				want = 0o700
			}
			if info.Mode().Perm() != want {
				t.Errorf("%s has mode %04o, want %04o", path, info.Mode().Perm(), want)
			}
			return nil
		})
		must(t, "walk "+top, err)
	}
}

func auditLog(t *testing.T, r *testRegion, kube *kubernetes.Clientset) {
	const plain = "not-for-the-audit-log"
	_, err := kube.CoreV1().Secrets("comes-up").Create(within(t, 10*time.Second),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "audited"}, StringData: map[string]string{"value": plain}},
		metav1.CreateOptions{})
	must(t, "create a secret", err)
	eventually(t, 10*time.Second, "the audit log tells of the secret", func() (bool, string) {
		files, _ := filepath.Glob(filepath.Join(r.dir, "zones", "*", "logs", "audit-"+r.cluster(t).ID+".log"))
		for _, file := range files {
			text, _ := os.ReadFile(file)
			if bytes.Contains(text, []byte(plain)) {
				t.Fatalf("%s holds a secret's content", file)
			}
			for _, line := range bytes.Split(text, []byte("\n")) {
				if bytes.Contains(line, []byte(`"name":"audited"`)) && bytes.Contains(line, []byte(`"verb":"create"`)) {
					return true, ""
				}
			}
		}
		return len(files) == 0, fmt.Sprint("not in ", files)
	})
}

// podsAnswer asks a simulated pod what a user asks a pod.
func podsAnswer(t *testing.T, r *testRegion, kube *kubernetes.Clientset) {
	ctx := within(t, 40*time.Second)
	_, err := kube.CoreV1().Pods("comes-up").Create(ctx, pod("web"), metav1.CreateOptions{})
	must(t, "create a pod", err)
	var running *corev1.Pod
	eventually(t, 30*time.Second, "the pod runs", func() (bool, string) {
		running, err = kube.CoreV1().Pods("comes-up").Get(ctx, "web", metav1.GetOptions{})
		return err == nil && running.Status.Phase == corev1.PodRunning, fmt.Sprint(err, running.Status)
	})
	address, err := netip.ParseAddr(running.Status.PodIP)
	if err != nil || !netip.MustParsePrefix("10.0.0.0/16").Contains(address) {
		t.Errorf("the pod has address %q, want one of the VPC's", running.Status.PodIP)
	}
	if _, err := kube.CoreV1().Pods("comes-up").GetLogs("web", &corev1.PodLogOptions{}).DoRaw(ctx); err != nil {
		t.Errorf("logs: %v", err)
	}
	request := kube.CoreV1().RESTClient().Post().Resource("pods").Namespace("comes-up").Name("web").SubResource("exec").
		Param("container", "main").Param("command", "ls").Param("stdout", "true").Param("stderr", "true")
	executor, err := remotecommand.NewWebSocketExecutor(r.config(t), "GET", request.URL().String())
	must(t, "prepare exec", err)
	var out, errs bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &errs})
	var exit utilexec.CodeExitError
	if !errors.As(err, &exit) || exit.Code != 126 || !strings.HasPrefix(errs.String(), "tripod: ") {
		t.Errorf("exec: got %q, %q, %v; want a sentence on stderr and exit code 126", out.String(), errs.String(), err)
	}
}

var crdGVR = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1",
	Resource: "customresourcedefinitions"}
var widgetGVR = schema.GroupVersionResource{Group: "tripod.example.com", Version: "v1", Resource: "widgets"}

func widgetDefinition() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "widgets.tripod.example.com"},
		"spec": map[string]any{
			"group": "tripod.example.com", "scope": "Namespaced",
			"names": map[string]any{"plural": "widgets", "singular": "widget", "kind": "Widget"},
			"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "properties": map[string]any{"spec": map[string]any{"type": "object",
						"properties": map[string]any{
							"size":   map[string]any{"type": "integer", "minimum": int64(1)},
							"colour": map[string]any{"type": "string"}}}}}}}},
		},
	}}
}

func widget(name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "tripod.example.com/v1", "kind": "Widget",
		"metadata": map[string]any{"name": name}, "spec": spec}}
}

// customResources defines a kind, watches it, and has two appliers who disagree.
func customResources(t *testing.T, r *testRegion, _ *kubernetes.Clientset) {
	ctx := within(t, 60*time.Second)
	dynamic := r.dynamic(t)
	_, err := dynamic.Resource(crdGVR).Create(ctx, widgetDefinition(), metav1.CreateOptions{})
	must(t, "define a kind", err)
	widgets := dynamic.Resource(widgetGVR).Namespace("comes-up")
	// Each API server learns of the kind by itself, a moment later: the endpoint shows it when all three have.
	for seen := 0; seen < 20; {
		eventually(t, 30*time.Second, "the kind is served", func() (bool, string) {
			_, err := widgets.List(ctx, metav1.ListOptions{})
			if err != nil {
				seen = 0
			}
			return err == nil, fmt.Sprint(err)
		})
		seen++
	}
	list, err := widgets.List(ctx, metav1.ListOptions{})
	must(t, "list widgets", err)
	watching, err := widgets.Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
	must(t, "watch widgets", err)
	defer watching.Stop()

	apply := func(manager string, spec map[string]any, force bool) error {
		_, err := widgets.Apply(ctx, "one", widget("one", spec), metav1.ApplyOptions{FieldManager: manager, Force: force})
		return err
	}
	must(t, "apply", apply("ann", map[string]any{"size": int64(1), "colour": "red"}, false))
	must(t, "apply what nobody else has", apply("ben", map[string]any{"colour": "red"}, false))
	if err := apply("ben", map[string]any{"size": int64(2)}, false); !apierrors.IsConflict(err) {
		t.Errorf("applying another's field: got %v, want a conflict", err)
	}
	must(t, "apply by force", apply("ben", map[string]any{"size": int64(2)}, true))
	if err := apply("ben", map[string]any{"size": int64(0)}, true); !apierrors.IsInvalid(err) {
		t.Errorf("applying what the schema forbids: got %v, want invalid", err)
	}
	must(t, "delete", widgets.Delete(ctx, "one", metav1.DeleteOptions{}))

	var got []string
	for len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "DELETED") {
		select {
		case event := <-watching.ResultChan():
			object, ok := event.Object.(*unstructured.Unstructured)
			if !ok {
				t.Fatalf("watch: got %+v after %v", event, got)
			}
			size, _, _ := unstructured.NestedInt64(object.Object, "spec", "size")
			got = append(got, fmt.Sprint(event.Type, " ", size))
		case <-ctx.Done():
			t.Fatalf("watch: got only %v", got)
		}
	}
	want := []string{"ADDED 1", "MODIFIED 1", "MODIFIED 2", "DELETED 2"}
	if !slices.Equal(got, want) {
		t.Errorf("watch: got %v, want %v", got, want)
	}
	must(t, "delete the kind", dynamic.Resource(crdGVR).Delete(ctx, "widgets.tripod.example.com", metav1.DeleteOptions{}))
}

// roleBasedAccess gives a service account the right to read config maps, and to do nothing else.
func roleBasedAccess(t *testing.T, r *testRegion, kube *kubernetes.Clientset) {
	ctx := within(t, 30*time.Second)
	_, err := kube.CoreV1().ServiceAccounts("comes-up").Create(ctx,
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "reader"}}, metav1.CreateOptions{})
	must(t, "create a service account", err)
	token, err := kube.CoreV1().ServiceAccounts("comes-up").CreateToken(ctx, "reader", &authenticationv1.TokenRequest{},
		metav1.CreateOptions{})
	must(t, "create a token", err)
	config := r.config(t)
	reader, err := kubernetes.NewForConfig(&rest.Config{Host: config.Host, BearerToken: token.Status.Token, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: config.CAData}})
	must(t, "make the reader's client", err)
	maps := func() error {
		_, err := reader.CoreV1().ConfigMaps("comes-up").List(ctx, metav1.ListOptions{})
		return err
	}
	if err := maps(); !apierrors.IsForbidden(err) {
		t.Errorf("without a role: got %v, want forbidden", err)
	}
	_, err = kube.RbacV1().Roles("comes-up").Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}}}},
		metav1.CreateOptions{})
	must(t, "create a role", err)
	_, err = kube.RbacV1().RoleBindings("comes-up").Create(ctx,
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "reader"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "reader", Namespace: "comes-up"}}}, metav1.CreateOptions{})
	must(t, "bind the role", err)
	eventually(t, 10*time.Second, "the role counts", func() (bool, string) {
		err := maps()
		return err == nil, fmt.Sprint(err)
	})
	if _, err := reader.CoreV1().Secrets("comes-up").List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("secrets: got %v, want forbidden", err)
	}
	stranger, err := kubernetes.NewForConfig(&rest.Config{Host: config.Host, BearerToken: "k8s-aws-v1.bm9ib2R5",
		TLSClientConfig: rest.TLSClientConfig{CAData: config.CAData}})
	must(t, "make a stranger's client", err)
	if _, err := stranger.CoreV1().Pods("").List(context.Background(),
		metav1.ListOptions{}); !apierrors.IsUnauthorized(err) {
		t.Errorf("a made-up token: got %v, want unauthorized", err)
	}
}
