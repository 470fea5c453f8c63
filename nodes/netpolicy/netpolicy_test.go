package netpolicy

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"
)

func pod(namespace, name, address, app string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": app}}}
	p.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}}
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: address}}, HostIP: "10.0.0.2"}
	return p
}

func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/metadata.name": name}}}
}

// newHolder is that of a cluster with two namespaces, pods web/shop (10.0.0.10), web/db (10.0.0.11) and test/shop (10.0.0.12), and the
// specs of policies of the namespace web.
func newHolder(t *testing.T, on bool, specs ...string) *Holder {
	t.Helper()
	objects := []runtime.Object{namespace("web"), namespace("test"), pod("web", "shop", "10.0.0.10", "shop"),
		pod("web", "db", "10.0.0.11", "db"), pod("test", "shop", "10.0.0.12", "shop")}
	gone := pod("test", "gone", "10.0.0.11", "gone") // had the address of another one
	gone.Status.Phase = corev1.PodSucceeded
	objects = append(objects, gone)
	for i, spec := range specs {
		p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "policy-" + string(rune('a'+i))}}
		if err := yaml.UnmarshalStrict([]byte(spec), &p.Spec); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, p)
	}
	h := New(fake.NewClientset(objects...), func() bool { return on })
	t.Cleanup(h.Close)
	return h
}

func decide(t *testing.T, h *Holder, from, to string) (allowed bool, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	all, err := h.Decide(ctx, netip.MustParseAddr(from), netip.MustParseAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	allowed = true
	var texts []string
	for _, d := range all {
		allowed = allowed && d.Allowed
		texts = append(texts, d.String())
	}
	return allowed, strings.Join(texts, "; ")
}

const (
	shop, db, stranger, node, outside = "10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.2", "192.0.2.1"
	denyAll                           = `{podSelector: {}, policyTypes: [Ingress, Egress]}`
)

func TestPoliciesDecide(t *testing.T) {
	for name, c := range map[string]struct {
		specs    []string
		from, to string
		want     bool
	}{
		"without policies all pass":             {nil, stranger, db + ":5432", true},
		"a policy isolates":                     {[]string{denyAll}, stranger, db + ":5432", false},
		"also from pods of its namespace":       {[]string{denyAll}, shop, db + ":5432", false},
		"and from outside":                      {[]string{denyAll}, outside, db + ":5432", false},
		"not from the pod's own node":           {[]string{denyAll}, node, db + ":5432", true},
		"egress of another namespace is free":   {[]string{denyAll}, stranger, "10.0.0.99:80", true},
		"egress is held to no pod, too":         {[]string{denyAll}, shop, "10.0.0.99:80", false},
		"a policy of ingress is none of egress": {[]string{`{podSelector: {}}`}, shop, "10.0.0.99:80", true},
		"rules of egress make it one of egress": {[]string{`{podSelector: {matchLabels: {app: shop}}, egress: [{to: [{podSelector: {}}]}]}`},
			shop, stranger + ":80", false},
		"by the pod's label": {[]string{`{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: shop}}}]}]}`},
			shop, db + ":5432", true},
		"the label counts in the policy's namespace alone": {
			[]string{`{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: shop}}}]}]}`},
			stranger, db + ":5432", false},
		"by the namespace's label": {
			[]string{`{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: test}}}]}]}`},
			stranger, db + ":5432", true},
		"both selectors in one peer": {
			[]string{`{podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}]}]}`},
			stranger, db + ":5432", false},
		"policies add up":               {[]string{denyAll, `{podSelector: {}, ingress: [{}]}`}, stranger, db + ":5432", true},
		"a block":                       {[]string{`{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}]}`}, outside, db + ":1", true},
		"a block's exception":           {[]string{`{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.1/32]}}]}]}`}, outside, db + ":1", false},
		"a port":                        {[]string{`{podSelector: {}, ingress: [{ports: [{port: 5432}]}]}`}, stranger, db + ":5432", true},
		"another port":                  {[]string{`{podSelector: {}, ingress: [{ports: [{port: 5432}]}]}`}, stranger, db + ":5433", false},
		"a port's name":                 {[]string{`{podSelector: {}, ingress: [{ports: [{port: http}]}]}`}, stranger, db + ":8080", true},
		"a range of ports":              {[]string{`{podSelector: {}, ingress: [{ports: [{port: 5000, endPort: 6000}]}]}`}, stranger, db + ":5432", true},
		"beyond a range":                {[]string{`{podSelector: {}, ingress: [{ports: [{port: 5000, endPort: 6000}]}]}`}, stranger, db + ":6001", false},
		"a port of UDP is none":         {[]string{`{podSelector: {}, ingress: [{ports: [{protocol: UDP, port: 5432}]}]}`}, stranger, db + ":5432", false},
		"a pod is not kept from itself": {[]string{denyAll}, shop, shop + ":80", true},
		"egress by a port's name":       {[]string{`{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: http}]}]}`}, shop, stranger + ":8080", true},
	} {
		t.Run(name, func(t *testing.T) {
			if got, said := decide(t, newHolder(t, true, c.specs...), c.from, c.to); got != c.want {
				t.Errorf("got %v (%s), want %v", got, said, c.want)
			}
		})
	}
}

// TestPoliciesCountWhereTheyAreSwitchedOn: by the add-on's configuration, or the ConfigMap of the CNI.
func TestPoliciesCountWhereTheyAreSwitchedOn(t *testing.T) {
	h := newHolder(t, false, denyAll)
	if allowed, said := decide(t, h, stranger, db+":5432"); !allowed || said != "" {
		t.Errorf("switched off they say %q", said)
	}
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: switchNamespace, Name: switchName},
		Data: map[string]string{switchKey: "true"}}
	policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "deny"}}
	h = New(fake.NewClientset(settings, policy, namespace("web"), pod("web", "db", db, "db")), func() bool { return false })
	t.Cleanup(h.Close)
	want := "NetworkPolicies select pod web/db and none allows this ingress to it: [deny]"
	if allowed, said := decide(t, h, stranger, db+":5432"); allowed || said != want {
		t.Errorf("switched on they say %q, want %q", said, want)
	}
}
