package mirror

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"

	"tripod/api"
	"tripod/client/tripodtest"
)

// TestMirrorsThroughTheLossOfEachZone: every original is copied, whichever zone dies or is cut off while it is made.
func TestMirrorsThroughTheLossOfEachZone(t *testing.T) {
	region := tripodtest.Start(t)
	c := &Controller{Config: region.RESTConfig(), From: region.Namespace(), To: region.Namespace()}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })

	config := region.RESTConfig()
	config.Timeout = 5 * time.Second // a request that a dying zone had is given up and sent again
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	create := func(n int) {
		t.Helper()
		for range n {
			name := fmt.Sprintf("original-%d", made)
			made++
			tripodtest.Eventually(t, time.Minute, "make "+name, func() error {
				_, err := client.CoreV1().ConfigMaps(c.From).Apply(ctx, applycorev1.ConfigMap(name, c.From).
					WithLabels(map[string]string{"mirror": "true"}).WithData(map[string]string{"name": name}),
					metav1.ApplyOptions{FieldManager: "test", Force: true})
				return err
			})
		}
	}
	mirrored := func(when string) {
		t.Helper()
		tripodtest.Eventually(t, 2*time.Minute, "all are mirrored "+when, func() error {
			copies, err := client.CoreV1().ConfigMaps(c.To).List(ctx, metav1.ListOptions{})
			if err == nil && count(copies.Items) != made {
				err = fmt.Errorf("%d of %d", count(copies.Items), made)
			}
			return err
		})
	}
	create(5)
	mirrored("at rest")
	for _, zone := range []string{"a", "b", "c"} {
		region.KillZone(zone)
		create(5)
		mirrored("without zone " + zone)
		region.StartZone(zone)
	}
	region.PartitionLink("a-all", api.LinkFault{})
	create(5)
	mirrored("with zone a cut off")
}

// count counts the copies: each namespace has a ConfigMap of its own.
func count(all []corev1.ConfigMap) (n int) {
	for _, one := range all {
		if one.Name != "kube-root-ca.crt" {
			n++
		}
	}
	return n
}
