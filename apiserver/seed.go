package apiserver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/uuid"
	flowcontrol "k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	systempriority "k8s.io/kubernetes/pkg/apis/scheduling/v1"
	rbacrest "k8s.io/kubernetes/pkg/registry/rbac/rest"
	schedulingrest "k8s.io/kubernetes/pkg/registry/scheduling/rest"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
)

// A kube-apiserver is not ready before it has made sure, object by object and after a pause of a second, that the
// bootstrap roles and priority classes are there: some 300 writes and the longest part of the start of a new cluster,
// three times at once here. So a new cluster's etcd is given the same objects in a few transactions before its first
// API server starts, and a server that finds them there is ready at once, and makes sure of them in the background.

// seededHooks are the upstream hooks whose work the seed has done.
func seededHooks() (map[string]genericapiserver.PostStartHookFunc, error) {
	hooks := map[string]genericapiserver.PostStartHookFunc{}
	for _, provider := range []genericapiserver.PostStartHookProvider{rbacrest.RESTStorageProvider{},
		schedulingrest.RESTStorageProvider{}} {
		name, hook, err := provider.PostStartHook()
		if err != nil {
			return nil, err
		}
		hooks[name] = hook
	}
	return hooks, nil
}

// deferHooks replaces the upstream hooks by one that runs them in the background when the seed is there, and waits for
// them otherwise.
func deferHooks(config *genericapiserver.Config, present bool) error {
	seeded, err := seededHooks()
	if err != nil {
		return err
	}
	for name := range seeded {
		config.DisabledPostStartHooks.Insert(name)
	}
	return config.AddPostStartHook("tripod/bootstrap", func(hook genericapiserver.PostStartHookContext) error {
		done := make(chan error, len(seeded))
		for name, run := range seeded {
			go func() {
				err := run(hook)
				if err != nil {
					klog.ErrorS(err, "bootstrap", "hook", name)
				}
				done <- err
			}()
		}
		if present {
			return nil
		}
		for range seeded {
			if err := <-done; err != nil {
				return err
			}
		}
		return nil
	})
}

// seed writes the bootstrap objects into a new cluster's etcd and says whether they are there.
func seed(ctx context.Context, client *clientv3.Client) (present bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := awaitQuorum(ctx, client); err != nil {
		return false, err
	}
	last := registry("clusterroles", "", "cluster-admin")
	found, err := client.Get(ctx, last, clientv3.WithCountOnly())
	if err != nil || found.Count > 0 {
		return err == nil, err
	}
	puts, err := bootstrapObjects(last)
	if err != nil {
		return false, err
	}
	const most = 120 // operations that etcd takes in a transaction: 128
	for len(puts) > 0 {
		batch := puts[:min(most, len(puts))]
		puts = puts[len(batch):]
		first := string(batch[0].KeyBytes())
		// Another zone may do the same at the same time: one of the two does each batch, and nothing is ever overwritten.
		if _, err := client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(first), "=",
			0)).Then(batch...).Commit(); err != nil {
			return false, err
		}
	}
	return true, nil
}

// awaitQuorum polls: a client whose members are all still starting backs off longer than they take.
func awaitQuorum(ctx context.Context, client *clientv3.Client) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, 150*time.Millisecond)
		_, err := client.Get(attempt, "/registry/health")
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("etcd has no quorum: %w", err)
		}
	}
}

// registry is where an API server keeps an object.
func registry(resource, namespace, name string) string {
	return "/" + strings.Join(append([]string{"registry", resource}, nonEmpty(namespace, name)...), "/")
}

func nonEmpty(parts ...string) (kept []string) {
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return kept
}

var systemNamespaces = []string{metav1.NamespaceSystem, metav1.NamespacePublic, metav1.NamespaceDefault,
	corev1.NamespaceNodeLease}

// bootstrapObjects are the objects as an API server would have stored them; the one with the key last comes last.
func bootstrapObjects(last string) ([]clientv3.Op, error) {
	w := objectWriter{now: metav1.Now()}
	for _, name := range systemNamespaces {
		w.put("namespaces", corev1.SchemeGroupVersion, &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelMetadataName: name}},
			Spec:       corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}},
			Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
		})
	}
	for _, namespace := range systemNamespaces {
		w.put("serviceaccounts", corev1.SchemeGroupVersion,
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}})
	}
	// The controllers' own, which the controller manager would else make one by one before it starts any controller.
	for _, binding := range bootstrappolicy.ControllerRoleBindings() {
		for _, subject := range binding.Subjects {
			w.put("serviceaccounts", corev1.SchemeGroupVersion,
				&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: subject.Namespace, Name: subject.Name}})
		}
	}
	for _, class := range systempriority.SystemPriorityClasses() {
		w.put("priorityclasses", schedulingv1.SchemeGroupVersion, class)
	}
	for _, level := range append(flowcontrol.MandatoryPriorityLevelConfigurations,
		flowcontrol.SuggestedPriorityLevelConfigurations...) {
		level = level.DeepCopy()
		level.Annotations = map[string]string{flowcontrolv1.AutoUpdateAnnotationKey: "true"}
		w.put("prioritylevelconfigurations", flowcontrolv1.SchemeGroupVersion, level)
	}
	for _, flow := range append(flowcontrol.MandatoryFlowSchemas, flowcontrol.SuggestedFlowSchemas...) {
		flow = flow.DeepCopy()
		flow.Annotations = map[string]string{flowcontrolv1.AutoUpdateAnnotationKey: "true"}
		w.put("flowschemas", flowcontrolv1.SchemeGroupVersion, flow)
	}
	for _, role := range append(bootstrappolicy.ClusterRoles(), bootstrappolicy.ControllerRoles()...) {
		w.put("clusterroles", rbacv1.SchemeGroupVersion, &role)
	}
	for _, binding := range append(bootstrappolicy.ClusterRoleBindings(), bootstrappolicy.ControllerRoleBindings()...) {
		w.put("clusterrolebindings", rbacv1.SchemeGroupVersion, &binding)
	}
	roles, bindings := bootstrappolicy.NamespaceRoles(), bootstrappolicy.NamespaceRoleBindings()
	for _, namespace := range slices.Sorted(maps.Keys(roles)) { // the same order in every zone: see seed
		for _, role := range roles[namespace] {
			role.Namespace = namespace
			w.put("roles", rbacv1.SchemeGroupVersion, &role)
		}
	}
	for _, namespace := range slices.Sorted(maps.Keys(bindings)) {
		for _, binding := range bindings[namespace] {
			binding.Namespace = namespace
			w.put("rolebindings", rbacv1.SchemeGroupVersion, &binding)
		}
	}
	for i, put := range w.puts {
		if string(put.KeyBytes()) == last {
			w.puts = append(append(w.puts[:i:i], w.puts[i+1:]...), put)
			break
		}
	}
	return w.puts, w.err
}

type objectWriter struct {
	now  metav1.Time
	puts []clientv3.Op
	err  error
}

func (w *objectWriter) put(resource string, version schema.GroupVersion, object interface {
	runtime.Object
	metav1.Object
}) {
	if w.err != nil {
		return
	}
	object.SetUID(uuid.NewUUID())
	object.SetCreationTimestamp(w.now)
	info, ok := runtime.SerializerInfoForMediaType(legacyscheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	if !ok {
		w.err = fmt.Errorf("the scheme of Kubernetes has no protobuf")
		return
	}
	var data []byte
	if data, w.err = runtime.Encode(legacyscheme.Codecs.EncoderForVersion(info.Serializer, version),
		object); w.err == nil {
		w.puts = append(w.puts, clientv3.OpPut(registry(resource, object.GetNamespace(), object.GetName()), string(data)))
	}
}
