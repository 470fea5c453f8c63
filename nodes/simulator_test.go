package nodes

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"tripod/nodes/machine"
)

func TestNodesRegisterReadyWithEKSNamesAndLabels(t *testing.T) {
	client := fake.NewClientset()
	config := testConfig(2)
	for i := range config.Machines {
		config.Machines[i].Boot.Labels = map[string]string{"eks.amazonaws.com/nodegroup": "workers"}
	}
	startFake(t, config, client)
	var list *corev1.NodeList
	eventually(t, "two nodes", func() (string, bool) {
		list, _ = client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		return cmp.Diff(len(list.Items), 2), len(list.Items) == 2
	})
	for _, n := range list.Items {
		if !regexp.MustCompile(`^ip-10-0-\d+-\d+\.ec2\.internal$`).MatchString(n.Name) {
			t.Errorf("name %q", n.Name)
		}
		if !regexp.MustCompile(`^aws:///us-east-1a/i-0[0-9a-f]{16}$`).MatchString(n.Spec.ProviderID) {
			t.Errorf("providerID %q", n.Spec.ProviderID)
		}
		want := map[string]string{
			"topology.kubernetes.io/zone": "us-east-1a", "topology.kubernetes.io/region": "us-east-1",
			"topology.k8s.aws/zone-id": "use1-az1", "node.kubernetes.io/instance-type": "m5.large",
			"kubernetes.io/hostname": n.Name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
			"eks.amazonaws.com/nodegroup": "workers",
		}
		for label, value := range want {
			if got := n.Labels[label]; got != value {
				t.Errorf("label %s: got %q, want %q", label, got, value)
			}
		}
		if got := n.Status.Allocatable.Pods().Value(); got != 29 {
			t.Errorf("pods: got %d, want 29", got)
		}
		if got := n.Status.Allocatable.Cpu().String(); got != "1930m" {
			t.Errorf("allocatable cpu: got %s, want 1930m", got)
		}
		if !ready(&n) {
			t.Errorf("node %s is registered without being Ready", n.Name)
		}
		if len(n.Status.Addresses) != 3 || n.Status.DaemonEndpoints.KubeletEndpoint.Port != 10250 {
			t.Errorf("addresses %v, port %v", n.Status.Addresses, n.Status.DaemonEndpoints)
		}
	}
	eventually(t, "two leases with owners", func() (string, bool) {
		leases, _ := client.CoordinationV1().Leases("kube-node-lease").List(t.Context(), metav1.ListOptions{})
		for _, l := range leases.Items {
			if *l.Spec.LeaseDurationSeconds != 40 || *l.Spec.HolderIdentity != l.Name || l.OwnerReferences[0].Name != l.Name {
				t.Fatalf("lease %+v", l)
			}
		}
		return "", len(leases.Items) == 2
	})
}

func ready(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func TestNodeOutsideUSEast1IsNamedAfterItsRegion(t *testing.T) {
	got := machine.Name("eu-west-1", netip.MustParseAddr("10.0.1.23"))
	if want := "ip-10-0-1-23.eu-west-1.compute.internal"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDeletedNodeRegistersAgain(t *testing.T) {
	client := fake.NewClientset()
	startFake(t, testConfig(1), client)
	nodes := client.CoreV1().Nodes()
	there := func() (string, bool) {
		_, err := nodes.Get(t.Context(), firstNode(), metav1.GetOptions{})
		return "", err == nil
	}
	eventually(t, "node registers", there)
	watched(t, client, "nodes")
	if err := nodes.Delete(t.Context(), firstNode(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "node registers again", there)
}

// watched waits until the simulator watches a resource: the fake API server does not tell what was before.
func watched(t *testing.T, client *fake.Clientset, resource string) {
	t.Helper()
	eventually(t, resource+" are watched", func() (string, bool) {
		for _, action := range client.Actions() {
			if action.Matches("watch", resource) {
				return "", true
			}
		}
		return "", false
	})
}

func TestNodeMarkedUnknownIsReadyAgain(t *testing.T) {
	client := fake.NewClientset()
	startFake(t, testConfig(1), client)
	watched(t, client, "nodes")
	nodes := client.CoreV1().Nodes()
	node, err := nodes.Get(t.Context(), firstNode(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range node.Status.Conditions {
		node.Status.Conditions[i].Status = corev1.ConditionUnknown
	}
	if _, err := nodes.UpdateStatus(t.Context(), node, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "node is Ready again", func() (string, bool) {
		node, err := nodes.Get(t.Context(), firstNode(), metav1.GetOptions{})
		return "", err == nil && ready(node)
	})
}

func TestNodeOfAnotherInstanceIsNotTouched(t *testing.T) {
	foreign := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: firstNode()},
		Spec: corev1.NodeSpec{ProviderID: "aws:///us-east-1b/i-0123"}}
	client := fake.NewClientset(foreign)
	startFake(t, testConfig(1), client)
	eventually(t, "registration was tried twice", func() (string, bool) {
		tries := 0
		for _, action := range client.Actions() {
			if action.Matches("create", "nodes") {
				tries++
			}
			if action.Matches("patch", "nodes") {
				t.Fatal("the node was patched")
			}
		}
		return "", tries >= 2
	})
}

func TestPodBecomesReadyWithAddressFromSubnet(t *testing.T) {
	client := fake.NewClientset(newPod("web", firstNode()))
	startFake(t, testConfig(1), client)
	pod := waitPhase(t, client, "web", corev1.PodRunning)
	addr, err := netip.ParseAddr(pod.Status.PodIP)
	if err != nil || !testConfig(1).Machines[0].Subnet.Contains(addr) {
		t.Errorf("pod IP %q is not in the subnet", pod.Status.PodIP)
	}
	status := pod.Status.ContainerStatuses[0]
	if !status.Ready || status.State.Running == nil || pod.Status.HostIP == "" || pod.Status.HostIP == pod.Status.PodIP {
		t.Errorf("status %+v", pod.Status)
	}
}

func TestHostNetworkPodHasNodeAddress(t *testing.T) {
	client := fake.NewClientset(newPod("proxy", firstNode(), func(p *corev1.Pod) { p.Spec.HostNetwork = true }))
	startFake(t, testConfig(1), client)
	pod := waitPhase(t, client, "proxy", corev1.PodRunning)
	if pod.Status.PodIP != pod.Status.HostIP {
		t.Errorf("pod IP %s, host IP %s", pod.Status.PodIP, pod.Status.HostIP)
	}
}

func TestJobPodCompletes(t *testing.T) {
	client := fake.NewClientset(newPod("job-1", firstNode(), func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "job"}}
		p.Spec.RestartPolicy = corev1.RestartPolicyNever
		p.Spec.Containers[0].Image = "busybox" // a server would not end
	}))
	startFake(t, testConfig(1), client)
	pod := waitPhase(t, client, "job-1", corev1.PodSucceeded)
	if end := pod.Status.ContainerStatuses[0].State.Terminated; end == nil || end.ExitCode != 0 ||
		end.Reason != "Completed" {
		t.Errorf("state %+v", pod.Status.ContainerStatuses[0].State)
	}
}

func TestDeletedPodGoesAtOnce(t *testing.T) {
	client := fake.NewClientset(newPod("web", firstNode(), func(p *corev1.Pod) {
		now := metav1.Now()
		p.DeletionTimestamp, p.Finalizers = &now, []string{"keep"}
	}))
	startFake(t, testConfig(1), client)
	eventually(t, "pod is deleted", func() (string, bool) {
		_, err := client.CoreV1().Pods("default").Get(t.Context(), "web", metav1.GetOptions{})
		return "", apierrors.IsNotFound(err)
	})
}

func TestPodOfAnotherNodeIsNotTouched(t *testing.T) {
	client := fake.NewClientset(newPod("theirs", "ip-10-0-64-9.ec2.internal"), newPod("ours", firstNode()))
	startFake(t, testConfig(1), client)
	waitPhase(t, client, "ours", corev1.PodRunning)
	if got := getPod(t, client, "theirs").Status.Phase; got != corev1.PodPending {
		t.Errorf("phase %s", got)
	}
}

func TestPodsKeepAddressesAfterRestart(t *testing.T) {
	client := fake.NewClientset(newPod("old", firstNode()))
	first := startFake(t, testConfig(1), client)
	old := waitPhase(t, client, "old", corev1.PodRunning).Status.PodIP
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// "a-new" is before "old" in every list: its address must not be one that a later pod has.
	if err := client.Tracker().Add(newPod("a-new", firstNode())); err != nil {
		t.Fatal(err)
	}
	startFake(t, testConfig(1), client)
	fresh := waitPhase(t, client, "a-new", corev1.PodRunning).Status.PodIP
	if fresh == old {
		t.Errorf("two pods have address %s", old)
	}
	if got := getPod(t, client, "old").Status.PodIP; got != old {
		t.Errorf("old pod's address became %s, was %s", got, old)
	}
}

func TestPodBecomesReadyAlthoughServerFailsAtFirst(t *testing.T) {
	client := fake.NewClientset(newPod("web", firstNode()))
	failures := 3
	client.PrependReactor("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		if failures--; failures >= 0 {
			return true, nil, apierrors.NewInternalError(errors.New("etcdserver: leader changed"))
		}
		return false, nil, nil
	})
	startFake(t, testConfig(1), client)
	waitPhase(t, client, "web", corev1.PodRunning)
}

func TestStartAndStopInEveryOrder(t *testing.T) {
	c := testConfig(2) // its API server is out of reach
	s := New(c)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("stop before start: %v", err)
	}
	for range 2 {
		if err := s.Start(ctx); err != nil {
			t.Fatalf("start: %v", err)
		}
		if err := s.Start(ctx); err == nil {
			t.Error("second start: no error")
		}
		for range 2 {
			if err := s.Stop(ctx); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
	}
}

func TestStartRefusesImpossibleConfig(t *testing.T) {
	nameless := testConfig(1)
	nameless.Machines[0].Name = ""
	for name, c := range map[string]Config{"empty": {}, "nameless machine": nameless} {
		if err := New(c).Start(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestNodesComeAndGoWhileOthersStay(t *testing.T) {
	client := fake.NewClientset()
	config := testConfig(3)
	all := config.Machines
	config.Machines = all[:2]
	reports := make(chan string, 10)
	config.Report = func(instanceID, trouble string) { reports <- instanceID + " " + trouble }
	s := startFake(t, config, client)
	names := func() map[string]bool {
		found := map[string]bool{}
		list, _ := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		for _, n := range list.Items {
			found[n.Name] = true
		}
		return found
	}
	for range 2 {
		<-reports
	}
	if err := s.Set(all[1:]); err != nil {
		t.Fatal(err)
	}
	if got, want := <-reports, all[2].InstanceID+" "; got != want {
		t.Errorf("reported %q, want %q: only the new node joins", got, want)
	}
	if found := names(); !found[all[0].Name] || !found[all[2].Name] {
		t.Errorf("nodes %v: the object of a machine that is gone is not the kubelet's to delete", found)
	}
	for _, name := range []string{"on-gone", "on-new"} {
		at := all[0].Name
		if name == "on-new" {
			at = all[2].Name
		}
		if err := client.Tracker().Add(newPod(name, at)); err != nil {
			t.Fatal(err)
		}
	}
	waitPhase(t, client, "on-new", corev1.PodRunning)
	if got := getPod(t, client, "on-gone").Status.Phase; got != corev1.PodPending {
		t.Errorf("a pod on a machine that is gone became %s", got)
	}
	if err := s.Set([]machine.Machine{{InstanceID: "i-1"}}); err == nil {
		t.Error("a machine without a name was taken")
	}
}

func TestRefusedNodeSaysWhyOnceAndHoldsNobodyUp(t *testing.T) {
	client := fake.NewClientset(newPod("web", testConfig(2).Machines[1].Name))
	refused := testConfig(2).Machines[0].Name
	client.PrependReactor("create", "nodes", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.(clienttesting.CreateAction).GetObject().(*corev1.Node).Name == refused {
			return true, nil, apierrors.NewUnauthorized("Unauthorized")
		}
		return false, nil, nil
	})
	config := testConfig(2)
	reports := make(chan string, 10)
	config.Report = func(instanceID, trouble string) {
		if instanceID == config.Machines[0].InstanceID {
			reports <- trouble
		}
	}
	startFake(t, config, client)
	waitPhase(t, client, "web", corev1.PodRunning)
	if got, want := <-reports, "Unable to register node with API server: Unauthorized"; got != want {
		t.Errorf("reported %q, want %q", got, want)
	}
	select {
	case again := <-reports:
		t.Errorf("it was reported again: %q", again)
	default:
	}
}
