package podidentity

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const (
	annotationDomain = "eks.amazonaws.com/"
	stsAudience      = "sts.amazonaws.com"
	// defaultExpiration is a token's life in seconds, and minExpiration the shortest that is asked for.
	defaultExpiration = 86400
	minExpiration     = 3600
)

// account is what a service account's annotations say.
type account struct {
	RoleARN     string
	Audience    string
	RegionalSTS bool
	Expiration  int64 // of tokens, in seconds
}

// accountOf reads the annotations. What cannot be understood counts as not being there.
func accountOf(annotations map[string]string) account {
	a := account{RoleARN: annotations[annotationDomain+"role-arn"], Audience: stsAudience, RegionalSTS: true,
		Expiration: expiration(annotations, defaultExpiration)}
	if audience, ok := annotations[annotationDomain+"audience"]; ok {
		a.Audience = audience
	}
	if regional, err := strconv.ParseBool(annotations[annotationDomain+"sts-regional-endpoints"]); err == nil {
		a.RegionalSTS = regional
	}
	return a
}

// expiration is what annotations of a service account or a pod say of it, and at least an hour.
func expiration(annotations map[string]string, usual int64) int64 {
	seconds, err := strconv.ParseInt(annotations[annotationDomain+"token-expiration"], 10, 64)
	if err != nil {
		return usual
	}
	return max(seconds, minExpiration)
}

// accounts are the cluster's service accounts as they were heard of.
type accounts struct {
	client kubernetes.Interface

	mu     sync.Mutex
	byName map[string]account // by NAMESPACE/NAME
}

func newAccounts(client kubernetes.Interface) *accounts {
	return &accounts{client: client, byName: map[string]account{}}
}

// get is what is known of an account. One that was made a moment ago, or before the first list came, is asked for.
func (a *accounts) get(ctx context.Context, namespace, name string) (account, error) {
	a.mu.Lock()
	known, ok := a.byName[namespace+"/"+name]
	a.mu.Unlock()
	if ok {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	object, err := a.client.CoreV1().ServiceAccounts(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return accountOf(nil), nil // an association may name it before it is there
	}
	if err != nil {
		return account{}, err
	}
	return accountOf(object.Annotations), nil
}

// follow lists and watches until ctx ends, and calls listed after the first list.
func (a *accounts) follow(ctx context.Context, listed func()) {
	// a server that is away is no news of this part
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(slog.NewTextHandler(io.Discard, nil)))
	client := a.client.CoreV1().ServiceAccounts(metav1.NamespaceAll)
	lw := cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object,
			error) {
			return client.List(ctx, o)
		},
		WatchFuncWithContext: client.Watch,
	}
	var working sync.WaitGroup
	store := &feed{accounts: a, listed: sync.OnceFunc(func() { working.Go(listed) })}
	log := klog.FromContext(ctx)
	backoff := wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 100, Cap: 3 * time.Second}
	cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(&lw, a.client), &corev1.ServiceAccount{},
		store,
		cache.ReflectorOptions{Logger: &log, Name: "serviceaccounts", Backoff: &backoff}).RunWithContext(ctx)
	working.Wait()
}

// feed is a reflector's store that keeps the annotations alone.
type feed struct {
	*accounts
	listed func()
}

func (f *feed) Add(obj any) error {
	object := obj.(*corev1.ServiceAccount)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byName[object.Namespace+"/"+object.Name] = accountOf(object.Annotations)
	return nil
}

func (f *feed) Update(obj any) error { return f.Add(obj) }

func (f *feed) Delete(obj any) error {
	object := obj.(*corev1.ServiceAccount)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byName, object.Namespace+"/"+object.Name)
	return nil
}

func (f *feed) Replace(list []any, _ string) error {
	byName := make(map[string]account, len(list))
	for _, obj := range list {
		object := obj.(*corev1.ServiceAccount)
		byName[object.Namespace+"/"+object.Name] = accountOf(object.Annotations)
	}
	f.mu.Lock()
	f.byName = byName
	f.mu.Unlock()
	f.listed()
	return nil
}

func (f *feed) Resync() error { return nil }
