package election

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"tripod/apiserver/launch"
	"tripod/internal/loss"
)

const component = "kube-controller-manager"

// lease is one of the component's, with the seconds since the loss at which it was acquired and renewed.
func lease(at time.Time, holder string, acquired, renewed time.Duration) *coordinationv1.Lease {
	begun, last := metav1.NewMicroTime(at.Add(acquired)), metav1.NewMicroTime(at.Add(renewed))
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: component},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, AcquireTime: &begun, RenewTime: &last, LeaseDurationSeconds: new(int32(15))}}
}

func standing(client *fake.Clientset) *Election {
	return &Election{name: component, identity: "us-east-1a_1", timing: launch.LeaseTiming{Duration: 2 * time.Second},
		leases: client.CoordinationV1()}
}

func holder(t *testing.T, client *fake.Clientset) string {
	t.Helper()
	found, err := client.CoordinationV1().Leases(metav1.NamespaceSystem).Get(t.Context(), component, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return *found.Spec.HolderIdentity
}

// TestOnlyTheLostHoldersLeaseIsReleased: the word of a loss may come late, or be wrong, and whoever runs keeps its lease.
func TestOnlyTheLostHoldersLeaseIsReleased(t *testing.T) {
	at := time.Now()
	for name, test := range map[string]struct {
		lease *coordinationv1.Lease
		free  bool
	}{
		"it held the lease":                  {lease(at, "us-east-1b_1", -time.Minute, -time.Second), true},
		"nobody held it":                     {lease(at, "", -time.Minute, -time.Second), true},
		"another zone's holds it":            {lease(at, "us-east-1c_1", -time.Minute, -time.Second), false},
		"its successor has begun":            {lease(at, "us-east-1b_2", time.Second, time.Second), false},
		"it lives, and has renewed it since": {lease(at, "us-east-1b_1", -time.Minute, time.Second), false},
	} {
		client := fake.NewClientset(test.lease)
		before := holder(t, client)
		free := standing(client).release(t.Context(), loss.Loss{Zone: "us-east-1b", At: at})
		if now := holder(t, client); free != test.free || test.free != (now == "") || !test.free && now != before {
			t.Errorf("%s: it is free: %t, and its holder %q", name, free, now)
		}
	}
}

// TestAHolderThatRenewsAtThatMomentKeepsItsLease: the release was decided by what the lease was before.
func TestAHolderThatRenewsAtThatMomentKeepsItsLease(t *testing.T) {
	at := time.Now()
	client := fake.NewClientset(lease(at, "us-east-1b_1", -time.Minute, -time.Second))
	renews := true
	client.PrependReactor("update", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
		if !renews {
			return false, nil, nil
		}
		renews = false
		err := client.Tracker().Update(coordinationv1.SchemeGroupVersion.WithResource("leases"),
			lease(at, "us-east-1b_1", -time.Minute, time.Second), metav1.NamespaceSystem)
		if err != nil {
			t.Error(err)
		}
		return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "leases"}, component, nil)
	})
	if standing(client).release(t.Context(), loss.Loss{Zone: "us-east-1b", At: at}) || holder(t, client) != "us-east-1b_1" {
		t.Errorf("the lease of %q was released", holder(t, client))
	}
}

// TestALeaderStopsAsSoonAsItReadsOfAnother: as one that was taken for lost does.
func TestALeaderStopsAsSoonAsItReadsOfAnother(t *testing.T) {
	client := fake.NewClientset()
	e := standing(client)
	e.timing = launch.LeaseTiming{Duration: 3 * time.Second, Renew: 2 * time.Second, Retry: 20 * time.Millisecond}
	var taken atomic.Pointer[coordinationv1.Lease] // another one's, once it has it
	client.PrependReactor("update", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
		return taken.Load() != nil, nil, apierrors.NewConflict(schema.GroupResource{Resource: "leases"}, component, nil)
	})
	client.PrependReactor("get", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
		return taken.Load() != nil, taken.Load(), nil
	})
	began, ended := make(chan struct{}), make(chan struct{})
	e.run = func(ctx context.Context) error {
		close(began)
		<-ctx.Done()
		close(ended)
		return nil
	}
	e.leads = func(bool) {}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stood := make(chan error, 1)
	go func() { stood <- e.stand(ctx) }()
	<-began
	taken.Store(lease(time.Now(), "us-east-1c_1", 0, 0))
	<-ended
	if err := <-stood; err != nil {
		t.Error(err)
	}
}
