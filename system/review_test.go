package system

import (
	"fmt"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// podsTokenIsReviewed asks the cluster whose a pod's token is, as webhooks and API servers of extensions do.
func podsTokenIsReviewed(t *testing.T, r *testRegion) {
	kube := r.kube(t)
	ctx := within(t, time.Minute)
	namespace(t, kube, "reviewed")
	serviceAccount(t, kube, "reviewed")
	pod, err := kube.CoreV1().Pods("reviewed").Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "caller"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "pause"}}}}, metav1.CreateOptions{})
	must(t, "create a pod", err)
	made, err := kube.CoreV1().ServiceAccounts("reviewed").CreateToken(ctx, "default", &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod",
			Name: pod.Name, UID: pod.UID}}}, metav1.CreateOptions{})
	must(t, "make the pod's token", err)
	review := func(token string) authenticationv1.TokenReviewStatus {
		answer, err := kube.AuthenticationV1().TokenReviews().Create(ctx,
			&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
		must(t, "TokenReview", err)
		return answer.Status
	}
	got := review(made.Status.Token)
	if name := got.User.Extra["authentication.kubernetes.io/pod-name"]; !got.Authenticated ||
		got.User.Username != "system:serviceaccount:reviewed:default" || len(name) != 1 || name[0] != "caller" {
		t.Errorf("the pod's token is of %+v", got)
	}
	if got := review(made.Status.Token + "x"); got.Authenticated || got.Error == "" {
		t.Errorf("a token that is none is of %+v", got)
	}
}

// unaskedBookmarks has an API server's caches ask etcd how far it is, while a watch that wants no bookmarks is open there:
// etcd tells all watches of the stream.
func unaskedBookmarks(t *testing.T, r *testRegion) {
	config := r.config(t)
	config.Timeout = 0 // it would end watches
	kube := mustClient(t, config)
	ctx := within(t, time.Minute)
	namespace(t, kube, "bookmarks")
	for range 2 { // the second one has the resource get its cache
		w, err := kube.CoreV1().ConfigMaps("bookmarks").Watch(ctx, metav1.ListOptions{})
		must(t, "watch ConfigMaps", err)
		defer w.Stop()
	}
	quiet, err := kube.CoreV1().ResourceQuotas("bookmarks").Watch(ctx, metav1.ListOptions{})
	must(t, "watch ResourceQuotas", err)
	defer quiet.Stop()
	for i := range 20 {
		_, err := kube.CoreV1().Secrets("bookmarks").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("news-", i)}},
			metav1.CreateOptions{})
		must(t, "create a Secret", err)
		_, err = kube.CoreV1().ConfigMaps("bookmarks").List(ctx, metav1.ListOptions{}) // as new as the Secret: the cache has to ask
		must(t, "list ConfigMaps", err)
	}
	_, err = kube.CoreV1().ResourceQuotas("bookmarks").Create(ctx, &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "last"}},
		metav1.CreateOptions{})
	must(t, "create a ResourceQuota", err)
	for event := range quiet.ResultChan() {
		if event.Type != watch.Added {
			t.Errorf("the watch got %s of %T", event.Type, event.Object)
		}
		if quota, ok := event.Object.(*corev1.ResourceQuota); ok && quota.Name == "last" {
			return
		}
	}
	t.Error("the watch ended before its event")
}
