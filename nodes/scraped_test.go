package nodes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/api"
)

func TestPodsAreScrapedAsTheirAnnotationsSay(t *testing.T) {
	pod := func(annotations map[string]string, ports ...corev1.ContainerPort) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: annotations},
			Spec:   corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Name: "c", Ports: ports}}},
			Status: corev1.PodStatus{PodIP: "10.0.0.7", Phase: corev1.PodRunning}}
	}
	is := func(path, scheme string, ports ...int) *api.ScrapedPod {
		return &api.ScrapedPod{Namespace: "shop", Name: "web", Node: "n1", Address: "10.0.0.7", Path: path, Scheme: scheme, Ports: ports}
	}
	done := pod(map[string]string{"prometheus.io/scrape": "true"})
	done.Status.Phase = corev1.PodSucceeded
	asks := func(more ...string) map[string]string {
		annotations := map[string]string{"prometheus.io/scrape": "true"}
		for i := 0; i < len(more); i += 2 {
			annotations["prometheus.io/"+more[i]] = more[i+1]
		}
		return annotations
	}
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		want *api.ScrapedPod
	}{
		"nothing": {pod(nil), nil},
		"false":   {pod(asks("scrape", "false")), nil},
		"a port":  {pod(asks("port", "9102")), is("/metrics", "http", 9102)},
		"all":     {pod(asks("port", "1", "path", "m", "scheme", "https")), is("/m", "https", 1)},
		"declared ports": {pod(asks("port", "x"), corev1.ContainerPort{ContainerPort: 8080},
			corev1.ContainerPort{ContainerPort: 53, Protocol: corev1.ProtocolUDP}, corev1.ContainerPort{ContainerPort: 8081}),
			is("/metrics", "http", 8080, 8081)},
		"no port":          {pod(asks()), is("/metrics", "http", 80)},
		"one that is done": {done, nil},
	} {
		got, ok := scrapedPod(c.pod)
		if ok != (c.want != nil) {
			t.Errorf("%s: asks %v", name, ok)
		} else if ok {
			if diff := cmp.Diff(*c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}
