"""Rules about autoscalers: HorizontalPodAutoscalers, and the ScaledObjects that KEDA makes them of."""
