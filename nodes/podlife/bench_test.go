package podlife

import "testing"

// BenchmarkOrdinaryPod is what the decisions about a pod cost from its binding to its being ready, and afterwards each time
// that it is looked at.
func BenchmarkOrdinaryPod(b *testing.B) {
	w := newWorld(&testing.T{})
	b.Run("start", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if step := Next(w.pod, w.facts); step.Status == nil {
				b.Fatal("nothing happens")
			}
		}
	})
	running := w.pod.DeepCopy()
	running.Status = *Next(w.pod, w.facts).Status
	b.Run("look", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if step := Next(running, w.facts); step.Status != nil {
				b.Fatal("something happens")
			}
		}
	})
}
