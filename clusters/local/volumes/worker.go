package volumes

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// Worker looks after the volumes of one node.
type Worker struct {
	here          Here
	core, storage rest.Interface
	claims        cache.Indexer
	volumes       cache.Indexer
	queue         workqueue.TypedRateLimitingInterface[key]
}

// key is a claim, or a volume if it has no namespace.
type key struct{ namespace, name string }

// New returns the worker of a node. It speaks two API groups only, by clients that know no
// others, since it is in memory on every node.
func New(config *rest.Config, here Here) (*Worker, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, storagev1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	codecs := serializer.NewCodecFactory(scheme)
	core, err := client(config, codecs, corev1.SchemeGroupVersion)
	if err != nil {
		return nil, err
	}
	storage, err := client(config, codecs, storagev1.SchemeGroupVersion)
	if err != nil {
		return nil, err
	}
	return &Worker{
		here: here, core: core, storage: storage,
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[key]()),
	}, nil
}

func client(config *rest.Config, codecs serializer.CodecFactory, group schema.GroupVersion) (rest.Interface, error) {
	c := rest.CopyConfig(config)
	c.GroupVersion, c.NegotiatedSerializer = &group, codecs.WithoutConversion()
	c.APIPath = "/apis"
	if group.Group == "" {
		c.APIPath = "/api"
	}
	return rest.RESTClientFor(c)
}

// Run works until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	var synced []cache.InformerSynced
	watch := func(resource string, example runtime.Object) cache.Indexer {
		store, controller := cache.NewInformerWithOptions(cache.InformerOptions{
			ListerWatcher: cache.NewListWatchFromClient(w.core, resource, "", fields.Everything()),
			ObjectType:    example,
			Handler: cache.ResourceEventHandlerFuncs{
				AddFunc:    w.enqueue,
				UpdateFunc: func(_, now any) { w.enqueue(now) },
			},
		})
		go controller.RunWithContext(ctx)
		synced = append(synced, controller.HasSynced)
		return store.(cache.Indexer)
	}
	w.claims = watch("persistentvolumeclaims", &corev1.PersistentVolumeClaim{})
	w.volumes = watch("persistentvolumes", &corev1.PersistentVolume{})
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return ctx.Err()
	}
	context.AfterFunc(ctx, w.queue.ShutDown)
	for w.next(ctx) {
	}
	return nil
}

func (w *Worker) enqueue(o any) {
	switch o := o.(type) {
	case *corev1.PersistentVolumeClaim:
		w.queue.Add(key{o.Namespace, o.Name})
	case *corev1.PersistentVolume:
		w.queue.Add(key{"", o.Name})
	}
}

// next handles one claim or volume. One at a time is enough: each takes a moment.
func (w *Worker) next(ctx context.Context) bool {
	k, shutdown := w.queue.Get()
	if shutdown {
		return false
	}
	defer w.queue.Done(k)
	work := w.claim
	if k.namespace == "" {
		work = w.volume
	}
	if err := work(ctx, k); err != nil {
		log.Print(err)
		w.queue.AddRateLimited(k)
		return true
	}
	w.queue.Forget(k)
	return true
}

func (w *Worker) claim(ctx context.Context, k key) error {
	o, ok, err := w.claims.GetByKey(k.namespace + "/" + k.name)
	if err != nil || !ok {
		return err
	}
	claim := o.(*corev1.PersistentVolumeClaim)
	if claim.Annotations[selectedNode] != w.here.Node || claim.Spec.StorageClassName == nil {
		return nil
	}
	class := &storagev1.StorageClass{}
	if err := w.storage.Get().Resource("storageclasses").Name(*claim.Spec.StorageClassName).Do(ctx).Into(class); err != nil {
		return fmt.Errorf("provisioning for claim %s/%s: reading its storage class: %w", k.namespace, k.name, err)
	}
	volume := w.here.Provision(claim, class)
	if volume == nil {
		return nil
	}
	if err := w.provision(ctx, volume); err != nil {
		return fmt.Errorf("provisioning for claim %s/%s: %w", k.namespace, k.name, err)
	}
	return nil
}

func (w *Worker) provision(ctx context.Context, volume *corev1.PersistentVolume) error {
	folder := volume.Spec.Local.Path
	if err := os.Mkdir(folder, 0o777); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	// Whatever user the pod runs as has to be able to write; the mask may have taken that away.
	if err := os.Chmod(folder, 0o777); err != nil {
		return err
	}
	err := w.core.Post().Resource("persistentvolumes").Body(volume).Do(ctx).Error()
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	log.Printf("volume %s is ready for claim %s/%s", volume.Name, volume.Spec.ClaimRef.Namespace, volume.Spec.ClaimRef.Name)
	return nil
}

func (w *Worker) volume(ctx context.Context, k key) error {
	o, ok, err := w.volumes.GetByKey(k.name)
	if err != nil || !ok {
		return err
	}
	folder, ok := w.here.Reclaim(o.(*corev1.PersistentVolume))
	if !ok {
		return nil
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("removing the data of volume %s: %w", k.name, err)
	}
	err = w.core.Delete().Resource("persistentvolumes").Name(k.name).Do(ctx).Error()
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("removing volume %s: %w", k.name, err)
	}
	log.Printf("volume %s is gone", k.name)
	return nil
}
