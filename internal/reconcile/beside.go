package reconcile

// Beside watches two things for a loop: what watch tells of, and news.
func Beside(watch func() (<-chan struct{}, func()), news <-chan struct{}) (<-chan struct{}, func()) {
	changes, end := watch()
	both, stop := make(chan struct{}, 1), make(chan struct{})
	go func() { // it ends with the watch
		for {
			select {
			case <-changes:
			case <-news:
			case <-stop:
				return
			}
			select {
			case both <- struct{}{}:
			default:
			}
		}
	}()
	return both, func() { close(stop); end() }
}
